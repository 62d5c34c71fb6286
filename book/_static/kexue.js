// The little that the pages themselves need: boxes that scroll can be reached by keyboard, citations can be copied, the contents
// follow the reader, formulae that scroll on the screen fit on paper.
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
  // A page of A4 between its margins holds about 34 em: longer formulae are set smaller there (see "@media print" in kexue.css).
  function fit() {
    document.querySelectorAll("mjx-container > mjx-math").forEach(function (formula) {
      var long = formula.getBoundingClientRect().width / parseFloat(getComputedStyle(formula).fontSize) / 34;
      if (long > 1) formula.style.setProperty("--kx-paper-size", (100 / long).toFixed(1) + "%");
    });
  }
  // The theme's scroll spy does not find the contents of the page, takes every link for an anchor, and fails at "#name:tau=1".
  function follow() {
    var spy = document.body.dataset;
    if (!spy.bsTarget || document.querySelector(spy.bsTarget)) return;
    if (document.querySelector(".page-toc")) spy.bsTarget = ".page-toc";
    else delete spy.bsSpy;
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
  follow(); // before the theme's own scripts start, on load
  document.addEventListener("click", copy);
  window.addEventListener("load", function () {
    reachable();
    if (window.MathJax && MathJax.startup && MathJax.startup.promise) MathJax.startup.promise.then(function () { reachable(); fit(); });
  });
  window.addEventListener("resize", reachable);
})();
