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
  form.replaceChildren(Object.assign(document.createElement("p"), {
    textContent: "You are logged in. You can close this page.",
  }));
  // The present name, and the one of specifications up to r0.6.1.
  if (window.matrixLogin && window.matrixLogin.onLogin) window.matrixLogin.onLogin(answer);
  if (window.onLogin) window.onLogin(answer);
}

function refused(status, answer) {
  if (status === 429) {
    const seconds = Math.ceil((answer.retry_after_ms || 1000) / 1000);
    return `Too many tries. Wait ${seconds} s and try again.`;
  }
  if (status === 403) return "The username or the password is wrong.";
  return answer.error || "That did not work. Try again in a moment.";
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  wrong.textContent = "";
  try {
    const url = "/_matrix/client/v3/login";
    const headers = { "Content-Type": "application/json" };
    const response = await fetch(url, { method: "POST", headers, body: body() });
    const answer = await response.json();
    if (response.ok) return done(answer);
    wrong.textContent = refused(response.status, answer);
    form.elements.password.select();
  } catch {
    wrong.textContent = "The server cannot be reached. Try again in a moment.";
  } finally {
    button.removeAttribute("aria-disabled");
  }
});
