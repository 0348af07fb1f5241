// The whole login for clients that show this page: asks /login and hands its answer to whoever
// opened the page, as the specification's "Login fallback" says.
"use strict";

const form = document.getElementById("login");
const button = document.getElementById("submit");
const wrong = document.getElementById("wrong");
const asked = new URLSearchParams(window.location.search);

function body() {
  const login = {
    type: "m.login.password",
    identifier: { type: "m.id.user", user: form.elements.user.value },
    password: form.elements.password.value,
  };
  for (const name of ["device_id", "initial_device_display_name"]) {
    if (asked.get(name)) login[name] = asked.get(name);
  }
  return JSON.stringify(login);
}

function done(answer) {
  const title = document.getElementById("title");
  title.textContent = "You are logged in";
  document.title = title.textContent;
  document.getElementById("about").textContent = "You can close this page and go back to your app.";
  form.remove();
  // What has the focus is read out, and the button that had it is gone.
  title.focus();
  // The present name, and the one of specifications up to r0.6.1.
  if (window.matrixLogin && window.matrixLogin.onLogin) window.matrixLogin.onLogin(answer);
  if (window.onLogin) window.onLogin(answer);
}

function refused(status, answer) {
  if (status === 429) {
    const seconds = Math.ceil((answer.retry_after_ms || 1000) / 1000);
    return `Too many tries. Wait ${seconds} ${seconds === 1 ? "second" : "seconds"} and try again.`;
  }
  if (status === 403) return "The username or the password is wrong.";
  return answer.error || "That did not work. Try again in a moment.";
}

async function ask() {
  const response = await fetch("/_matrix/client/v3/login", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: body(),
    signal: AbortSignal.timeout(60_000),
  });
  const answer = await response.json();
  return response.ok ? { answer } : { why: refused(response.status, answer) };
}

function say(why) {
  wrong.textContent = why;
  const password = form.elements.password;
  password.setAttribute("aria-invalid", "true");
  password.focus();
  password.select();
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  wrong.textContent = "";
  form.elements.password.removeAttribute("aria-invalid");
  const away = { why: "The server cannot be reached. Try again in a moment." };
  const { answer, why } = await ask().catch(() => away);
  button.removeAttribute("aria-disabled");
  if (answer) done(answer);
  else say(why);
});
