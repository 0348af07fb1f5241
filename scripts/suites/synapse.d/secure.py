"""Synapse reached over https: by a certificate that is trusted, and by one that is not."""

import subprocess

import looked_at
from ports import port
from stage import check

KEY = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"


def play(stage):
    for name in ("authority", "stranger"):
        openssl(stage, f"req -x509 {KEY} -days 2 -subj /CN={name} -keyout {name}.key -out {name}.crt")
    (stage.folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    openssl(stage, f"req {KEY} -subj /CN=synapse -keyout synapse.key -out synapse.csr")
    openssl(stage, "x509 -req -days 2 -in synapse.csr -CA authority.crt -CAkey authority.key"
                   " -CAcreateserial -extfile names -out synapse.crt")
    plain, before = stage.settings["AMARETTI_HOMESERVER_URL"], stage.login("alice").good()
    front(stage)
    stage.settings["AMARETTI_HOMESERVER_URL"] = f"https://127.0.0.1:{stage.ports['secure']}"
    untrusted(stage, before)
    trusted(stage, before)
    del stage.settings["SSL_CERT_FILE"]
    stage.settings["AMARETTI_HOMESERVER_URL"] = plain
    restart(stage)


def untrusted(stage, before):
    restart(stage, "stranger.crt")
    told = stage.login("alice")
    check("to a Synapse whose certificate is a stranger's nothing is told, and nobody logs in",
          told.status == 503 and told.headers["Retry-After"], told)
    check("whoever was there goes on", stage.whoami(before["access_token"]).status == 200)
    log = (stage.folder / "node.log").read_text(errors="replace")
    check("the log says what is wrong", "invalid peer certificate" in log, log[-2000:])
    told = looked_at.doctor(stage, "nginx")
    check("so does the doctor", told.returncode == 1 and "invalid peer certificate" in told.stdout,
          told.stdout + told.stderr)


def trusted(stage, before):
    restart(stage, "authority.crt")
    phone = stage.login("alice", device_id="SECURE")
    check("once it is trusted a login is told over https", phone.status == 200, phone)
    check("and Synapse has the device", "SECURE" in stage.devices(stage.root, "alice"))
    told = stage.client("GET", "capabilities", before["access_token"])
    check("it is asked for what it can do", told.status == 200 and told["capabilities"], told)
    told = looked_at.doctor(stage, "nginx")
    check("the doctor finds nothing to mend", told.returncode == 0 and "FAIL" not in told.stdout,
          told.stdout + told.stderr)


def openssl(stage, arguments):
    subprocess.run(["openssl", *arguments.split()], cwd=stage.folder, check=True, capture_output=True)


def front(stage):
    """TLS before Synapse, by an nginx of its own."""
    stage.ports["secure"] = port()
    stage.start_nginx_of("secure", f"""
        access_log off;
        server {{
            listen 127.0.0.1:{stage.ports['secure']} ssl;
            ssl_certificate {stage.folder}/synapse.crt;
            ssl_certificate_key {stage.folder}/synapse.key;
            location / {{ proxy_pass http://127.0.0.1:{stage.ports['synapse']}; }}
        }}""")


def restart(stage, authorities=None):
    stage.stop(stage.nodes["node"])
    if authorities:
        stage.settings["SSL_CERT_FILE"] = str(stage.folder / authorities)
    stage.start_node()
