// The little that the pages themselves need: boxes that scroll can be reached by keyboard, citations can be copied.
(function () {
  "use strict";
  var boxes = ".kx-scroll, .kx-table, .pst-scrollable-table-container, .kx-figure-body, .math-wrapper, div.math, mjx-container, pre, .cell_output .text_html";
  function reachable() {
    document.querySelectorAll(boxes).forEach(function (box) {
      var scrolls = box.scrollWidth > box.clientWidth + 1 && getComputedStyle(box).overflowX !== "visible";
      if (scrolls && !box.hasAttribute("tabindex")) {
        box.setAttribute("tabindex", "0");
        box.dataset.kxScrolls = "";
      } else if (!scrolls && "kxScrolls" in box.dataset) {
        box.removeAttribute("tabindex");
        delete box.dataset.kxScrolls;
      }
    });
  }
  function copy(event) {
    var button = event.target.closest(".kx-copy");
    if (!button) return;
    var text = button.parentElement.querySelector("pre").textContent, label = button.textContent;
    function done() {
      button.textContent = button.dataset.copied;
      setTimeout(function () { button.textContent = label; }, 1600);
    }
    function byHand() {
      var range = document.createRange();
      range.selectNodeContents(button.parentElement.querySelector("pre"));
      var selection = getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      if (document.execCommand("copy")) done();
    }
    if (navigator.clipboard && window.isSecureContext) navigator.clipboard.writeText(text).then(done, byHand);
    else byHand();
  }
  document.addEventListener("click", copy);
  window.addEventListener("load", function () {
    reachable();
    if (window.MathJax && MathJax.startup && MathJax.startup.promise) MathJax.startup.promise.then(reachable);
  });
  window.addEventListener("resize", reachable);
})();
