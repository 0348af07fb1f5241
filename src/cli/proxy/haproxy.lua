-- Asks amaretti whether a request may pass, and hands its answer on. For HAProxy 2.6 or later; made
-- by `amaretti config haproxy --lua`, the same for every installation: where it asks, and with
-- which secret, stands in HAProxy's own configuration.

local asked = os.getenv("AMARETTI_ASKED")
local secret = os.getenv("AMARETTI_SECRET")

local identity = {
    "x-amaretti-user-id", "x-amaretti-device-id", "x-amaretti-session-id", "x-amaretti-guest",
    "x-amaretti-label",
}

local away = '{"errcode":"M_UNKNOWN","error":"The server is away, try again"}'

-- Every value of a header, in order.
local function values(headers, name)
    local found = {}
    local at = 0
    while headers[name] and headers[name][at] do
        found[#found + 1] = headers[name][at]
        at = at + 1
    end
    return found
end

local function ask(txn)
    local headers = {
        ["x-amaretti-secret"] = { secret },
        ["x-amaretti-method"] = { txn.sf:method() },
        ["x-amaretti-uri"] = { txn.sf:pathq() },
        ["x-amaretti-address"] = { txn.sf:src() },
    }
    local credentials = values(txn.http:req_get_headers(), "authorization")
    if #credentials > 0 then
        headers["authorization"] = credentials
    end
    return core.httpclient():get({
        url = "http://amaretti/_amaretti/forward-auth",
        dst = asked,
        headers = headers,
        -- HAProxy 2.6 tries four times, and cannot be told otherwise.
        timeout = 2000,
    })
end

local function refuse(txn, status, headers, body)
    local reply = txn:reply()
    reply:set_status(status)
    for name, value in pairs(headers) do
        reply:add_header(name, value)
    end
    reply:set_body(body)
    txn:done(reply)
end

local function amaretti(txn)
    local asked_well, answer = pcall(ask, txn)
    local told = asked_well and answer and answer.headers or {}
    if told["content-type"] == nil and answer and answer.status == 200 then
        for _, name in ipairs(identity) do
            txn.http:req_del_header(name)
            for _, value in ipairs(values(told, name)) do
                txn.http:req_set_header(name, value)
            end
        end
        txn.http:req_del_header("authorization")
        for _, value in ipairs(values(told, "authorization")) do
            txn.http:req_set_header("authorization", value)
        end
        return
    end
    -- What is no answer of amaretti's is HAProxy's own, because nobody answered in time.
    if values(told, "content-type")[1] == "application/json" then
        local headers = { ["content-type"] = "application/json", ["cache-control"] = "no-store" }
        for name in pairs(told) do
            if name == "retry-after" or name:find("^access%-control%-") then
                headers[name] = values(told, name)[1]
            end
        end
        return refuse(txn, answer.status, headers, answer.body)
    end
    refuse(txn, 503, {
        ["content-type"] = "application/json",
        ["retry-after"] = "2",
        ["access-control-allow-origin"] = "*",
    }, away)
end

core.register_action("amaretti", { "http-req" }, amaretti)
