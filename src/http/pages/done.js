// Tells the client that opened this page that its stage is passed (specification, "Fallback" of
// user-interactive authentication).
"use strict";

if (window.onAuthDone) {
  window.onAuthDone();
} else if (window.opener && window.opener.postMessage) {
  window.opener.postMessage("authDone", "*");
}
