// mdBook 0.5.4's book.js without the playground, the editor, hidden lines, zoomed images and
// right-to-left text, which this book does not use, minified by terser 5.
"use strict";function mdbook_something_else_has_focus(e){const t=e.composedPath()[0]||e.target;return/^(?:input|select|textarea)$/i.test(t.nodeName)}
window.onunload=function(){},hljs.configure({tabReplace:"    ",languages:[]}),Array.from(document.querySelectorAll("pre code")).forEach(function(e){
if(hljs.highlightBlock(e),e.classList.add("hljs"),!window.playground_copyable)return;const t=document.createElement("div");t.className="buttons"
;const n=document.createElement("button");n.className="clip-button",n.title="Copy to clipboard",n.setAttribute("aria-label",n.title),
n.innerHTML='<i class="tooltiptext"></i>',t.appendChild(n),e.parentNode.insertBefore(t,e)}),function(){
const e=document.querySelector("html"),t=document.getElementById("mdbook-theme-toggle"),n=document.getElementById("mdbook-theme-list"),o=document.querySelector('meta[name="theme-color"]'),i=[]
;n.querySelectorAll("button.theme").forEach(function(e){i.push(e.id)});const c={ayuHighlight:document.querySelector("#mdbook-ayu-highlight-css"),
tomorrowNight:document.querySelector("#mdbook-tomorrow-night-css"),highlight:document.querySelector("#mdbook-highlight-css")};function r(){
n.style.display="none",t.setAttribute("aria-expanded",!1),t.focus()}function l(){let e=null;try{e=localStorage.getItem("mdbook-theme")}catch{}return e}
function s(){const e=l()
;return null!=e&&i.includes("mdbook-theme-"+e)?e:"undefined"==typeof default_dark_theme?default_theme:window.matchMedia("(prefers-color-scheme: dark)").matches?default_dark_theme:default_light_theme
}let d=default_theme;function a(t,i=!0){if("coal"===t||"navy"===t?(c.ayuHighlight.disabled=!0,c.tomorrowNight.disabled=!1,
c.highlight.disabled=!0):"ayu"===t?(c.ayuHighlight.disabled=!1,c.tomorrowNight.disabled=!0,c.highlight.disabled=!0):(c.ayuHighlight.disabled=!0,
c.tomorrowNight.disabled=!0,c.highlight.disabled=!1),setTimeout(function(){o.content=getComputedStyle(document.documentElement).backgroundColor},1),i)try{
localStorage.setItem("mdbook-theme",t)}catch{}e.classList.remove(d),e.classList.add(t),d=t,function(){n.querySelectorAll(".theme-selected").forEach(function(e){
e.classList.remove("theme-selected")});const e=l()??"default_theme";let t=n.querySelector("button#mdbook-theme-"+e)
;null===t&&(t=n.querySelector("button#mdbook-theme-"+s())),t.classList.add("theme-selected")}()}
window.matchMedia("(prefers-color-scheme: dark)").onchange=function(){a(s(),!1)},a(s(),!1),t.addEventListener("click",function(){
"block"===n.style.display?r():(n.style.display="block",t.setAttribute("aria-expanded",!0),n.querySelector("button#mdbook-theme-"+s()).focus())}),
n.addEventListener("click",function(e){let t;if("theme"===e.target.className)t=e.target.id;else{if("theme"!==e.target.parentElement.className)return
;t=e.target.parentElement.id}t=t.replace(/^mdbook-theme-/,""),"default_theme"===t||null===t?(localStorage.removeItem("mdbook-theme"),a(s(),!1)):a(t)}),
n.addEventListener("focusout",function(e){!e.relatedTarget||t.contains(e.relatedTarget)||n.contains(e.relatedTarget)||r()}),
document.addEventListener("click",function(e){"block"!==n.style.display||t.contains(e.target)||n.contains(e.target)||r()}),
document.addEventListener("keydown",function(e){if(e.altKey||e.ctrlKey||e.metaKey||e.shiftKey)return;if(!n.contains(e.target))return;let t;switch(e.key){
case"Escape":e.preventDefault(),r();break;case"ArrowUp":e.preventDefault(),t=document.activeElement.parentElement,
t&&t.previousElementSibling&&t.previousElementSibling.querySelector("button").focus();break;case"ArrowDown":e.preventDefault(),
t=document.activeElement.parentElement,t&&t.nextElementSibling&&t.nextElementSibling.querySelector("button").focus();break;case"Home":e.preventDefault(),
n.querySelector("li:first-child button").focus();break;case"End":e.preventDefault(),n.querySelector("li:last-child button").focus()}})}(),function(){
const e=document.getElementById("mdbook-sidebar"),t=document.querySelectorAll("#mdbook-sidebar a"),n=document.getElementById("mdbook-sidebar-toggle"),o=document.getElementById("mdbook-sidebar-resize-handle"),i=document.getElementById("mdbook-sidebar-toggle-anchor")
;let c=null;function r(){document.documentElement.classList.add("sidebar-visible"),Array.from(t).forEach(function(e){e.setAttribute("tabIndex",0)}),
n.setAttribute("aria-expanded",!0),e.setAttribute("aria-hidden",!1);try{localStorage.setItem("mdbook-sidebar","visible")}catch{}}function l(){
document.documentElement.classList.remove("sidebar-visible"),Array.from(t).forEach(function(e){e.setAttribute("tabIndex",-1)}),
n.setAttribute("aria-expanded",!1),e.setAttribute("aria-hidden",!0);try{localStorage.setItem("mdbook-sidebar","hidden")}catch{}}function s(t){
let n=t.clientX-e.offsetLeft;n<20?l():(document.documentElement.classList.contains("sidebar-visible")||r(),n=Math.min(n,window.innerWidth-100),
document.documentElement.style.setProperty("--sidebar-target-width",n+"px"))}function d(){document.documentElement.classList.remove("sidebar-resizing"),
window.removeEventListener("mousemove",s,!1),window.removeEventListener("mouseup",d,!1)}
document.documentElement.classList.contains("sidebar-visible")||(e.style.display="none"),e.addEventListener("transitionend",()=>{
i.checked||(e.style.display="none")}),n.addEventListener("click",()=>{i.checked||(e.style.display="",e.offsetHeight)}),i.addEventListener("change",function(){
i.checked?(parseInt(document.documentElement.style.getPropertyValue("--sidebar-target-width"),10)<150&&document.documentElement.style.setProperty("--sidebar-target-width","150px"),
r()):l()}),o.addEventListener("mousedown",function(){window.addEventListener("mousemove",s,!1),window.addEventListener("mouseup",d,!1),
document.documentElement.classList.add("sidebar-resizing")},!1),document.addEventListener("touchstart",function(e){c={x:e.touches[0].clientX,time:Date.now()}},{
passive:!0}),document.addEventListener("touchmove",function(e){if(!c)return;const t=e.touches[0].clientX,n=t-c.x
;Date.now()-c.time<250&&Math.abs(n)>=150&&(n>=0&&c.x<Math.min(.25*document.body.clientWidth,300)?r():n<0&&t<300&&l(),c=null)},{passive:!0})}(),
document.addEventListener("keydown",function(e){
if(!(e.altKey||e.ctrlKey||e.metaKey||window.search&&window.search.hasFocus()||mdbook_something_else_has_focus(e)||("?"===e.key&&(e.preventDefault(),function(){
const e=document.getElementById("mdbook-help-container"),n=document.getElementById("mdbook-help-popup");e.style.display="flex";const o=e=>{
n.contains(e.target)||0===e.button&&(e.preventDefault(),e.stopPropagation(),document.removeEventListener("mousedown",o),t())},i=e=>{
"Escape"===e.key&&(e.preventDefault(),e.stopPropagation(),document.removeEventListener("keydown",i,!0),t())};document.addEventListener("keydown",i,!0),
document.getElementById("mdbook-help-container").addEventListener("mousedown",o)}()),e.shiftKey)))switch(e.key){case"ArrowRight":e.preventDefault(),function(){
const e=document.querySelector(".nav-chapters.next");e&&(window.location.href=e.href)}();break;case"ArrowLeft":e.preventDefault(),function(){
const e=document.querySelector(".nav-chapters.previous");e&&(window.location.href=e.href)}()}function t(){
document.getElementById("mdbook-help-container").style.display="none"}}),function(){const e=document.querySelectorAll(".clip-button");function t(e){
e.firstChild.innerText="",e.className="clip-button"}function n(e,t){e.firstChild.innerText=t,e.className="clip-button tooltipped"}
const o=new ClipboardJS(".clip-button",{text:function(e){return t(e),e.closest("pre").querySelector("code").innerText}});Array.from(e).forEach(function(e){
e.addEventListener("mouseout",function(e){t(e.currentTarget)})}),o.on("success",function(e){e.clearSelection(),n(e.trigger,"Copied!")}),
o.on("error",function(e){n(e.trigger,"Clipboard error!")})}(),document.querySelector(".menu-title").addEventListener("click",function(){
document.scrollingElement.scrollTo({top:0,behavior:"smooth"})}),function(){const e=document.getElementById("mdbook-menu-bar");!function(){
let t=document.scrollingElement.scrollTop,n=t;const o=-e.clientHeight-50;e.style.top=t+"px";let i=e.style.top.slice(0,-2);e.classList.remove("sticky");let c=!1
;document.addEventListener("scroll",function(){t=Math.max(document.scrollingElement.scrollTop,0);let r=null,l=null;const s=i-t;t>n?(r=!1,
s>0&&(l=n)):s>0?r=!0:s<o&&(l=n+o),!0===r&&!1===c?(e.classList.add("sticky"),c=!0):!1===r&&!0===c&&(e.classList.remove("sticky"),c=!1),
null!==l&&(e.style.top=l+"px",i=l),n=t},{passive:!0})}(),function(){function t(){0===e.offsetTop?e.classList.remove("bordered"):e.classList.add("bordered")}t(),
document.addEventListener("scroll",t,{passive:!0})}()}();
