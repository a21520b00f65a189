#include "render/html_style.h"

namespace acceptq::render {

// Light unless the reader's system is dark; paper is light. Text on every ground, and every mark
// that means something, has a contrast of 4.5 or more.
const char* const kHtmlStyle = R"(
:root {
  --ground: #ffffff; --raised: #f3f5f8; --text: #1b2230; --quiet: #515b6b; --rule: #d5dae2;
  --link: #0b57a4; --critical: #b3261e; --warning: #8a5000; --notice: #4a5568; --good: #1e6b34;
  --on-chip: #ffffff; --queue: #2f6fb0; --stream: #8fb4dc; --lost: #b3261e;
  color-scheme: light;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --ground: #12161d; --raised: #1d232d; --text: #e6eaf0; --quiet: #a9b3c2; --rule: #3a4352;
    --link: #8ec1ff; --critical: #ff9d94; --warning: #f5bd66; --notice: #b6c0cf; --good: #86d39b;
    --on-chip: #12161d; --queue: #5f9fe0; --stream: #3c6a9c; --lost: #ff9d94;
    color-scheme: dark;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1rem; max-width: 64rem; background: var(--ground); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere;
}
h1 { font-size: 1.7rem; line-height: 1.2; margin: .5rem 0; }
h2 { font-size: 1.3rem; margin: 2.2rem 0 .6rem; padding-top: .8rem; border-top: 1px solid var(--rule); }
h3 { font-size: 1.1rem; margin: 1.8rem 0 .5rem; }
h4, h5 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
p { margin: .6rem 0; max-width: 46rem; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.chip {
  display: inline-block; padding: 0 .5rem; border-radius: .25rem; font-size: .85rem; font-weight: 600;
  line-height: 1.5rem; background: var(--notice); color: var(--on-chip);
}
.critical { background: var(--critical); }
.warning { background: var(--warning); }
.good { background: var(--good); }
.about { list-style: none; margin: .5rem 0; padding: 0; color: var(--quiet); }
.about li { display: inline; }
.about li + li::before { content: "· "; }
dl { margin: .6rem 0; }
dt { color: var(--quiet); }
dd { margin: 0 0 .4rem; }
.scroll { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; font-size: .9rem; overflow-wrap: normal; }
caption { text-align: left; color: var(--quiet); padding-bottom: .3rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--rule); }
th { font-weight: 600; }
tbody th { font-weight: 400; }
td.prose { min-width: 12rem; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
pre {
  overflow-x: auto; margin: .6rem 0; padding: .6rem .8rem; background: var(--raised); border-radius: .4rem;
  font: .875rem/1.45 ui-monospace, monospace; overflow-wrap: normal; tab-size: 4;
}
ol { padding-left: 1.6rem; }
li { margin: .3rem 0; }
figure { margin: 1.2rem 0; max-width: 46rem; }
figcaption { margin-bottom: .5rem; }
svg { display: block; }
.course { width: 100%; height: 10rem; background: var(--raised); }
.course .queue { fill: var(--queue); }
.course.failures, .course.shares { height: 4rem; }
.course .failed { fill: var(--lost); }
.course .share { fill: var(--queue); }
.course path { vector-effect: non-scaling-stroke; }
.course .limit { stroke: var(--text); stroke-width: 1.5; stroke-dasharray: 6 4; }
.course .refusal { stroke: var(--lost); stroke-width: 2; }
.ends { display: flex; justify-content: space-between; gap: 1rem; font-size: .85rem; color: var(--quiet); }
.legend { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; font-size: .85rem; }
.legend span { display: inline-block; width: 1.2rem; margin-right: .4rem; vertical-align: middle; border-top: 2px solid; }
.legend .queue { border-top: .7rem solid var(--queue); }
.legend .limit { border-top: 2px dashed var(--text); }
.legend .refusal { border-top: .7rem solid var(--lost); width: .2rem; }
.flow { width: 100%; max-width: 26rem; height: auto; }
.flow text { fill: var(--text); font: 12px system-ui, sans-serif; }
.flow .count { font-size: 15px; font-weight: 600; text-anchor: middle; }
.flow .what { text-anchor: middle; }
.flow .lost { fill: var(--lost); }
.flow .step { fill: var(--raised); stroke: var(--quiet); }
.flow .stream { fill: var(--stream); }
.flow .loss { stroke: var(--lost); }
summary { cursor: pointer; color: var(--link); padding: .3rem 0; }
footer { margin-top: 2.5rem; padding-top: .6rem; border-top: 1px solid var(--rule); color: var(--quiet); font-size: .9rem; }
@media (min-width: 40rem) {
  body { padding: 2rem; }
  h1 { font-size: 2.1rem; }
  dl { display: grid; grid-template-columns: 8.5rem 1fr; gap: .2rem 1rem; }
  dd { margin: 0; }
}
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; }
    pre { white-space: pre-wrap; overflow-wrap: anywhere; border: 1px solid var(--rule); }
  .scroll { overflow: visible; }
  table { overflow-wrap: anywhere; }
  h2, h3, h4, h5, caption { break-after: avoid; }
  tr, svg, pre { break-inside: avoid; }
  details::details-content { content-visibility: visible; height: auto; }
  * { print-color-adjust: exact; }
}
)";

}  // namespace acceptq::render
