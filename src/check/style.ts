/** How the page with timelines looks, on light and on dark screens. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #fbfbfa; --ink: #22252a; --quiet: #6b7280; --line: #e3e4e1; --stripe: #f2f3f0; --card: #ffffff;
  --bad: #c92a2a; --good: #2b8a3e; --order: #343a40;
  --read: #d0e3f7; --read-edge: #4285c4; --write: #d3f0dc; --write-edge: #3c9a5f;
  --cas: #fde6c4; --cas-edge: #d08a2e; --delete: #e6dff5; --delete-edge: #8461c5;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #16181b; --ink: #e6e7e9; --quiet: #9aa0a8; --line: #2d3136; --stripe: #1f2226; --card: #1a1d20;
    --bad: #ff7b72; --good: #63c77e; --order: #d4d7da;
    --read: #1d3a57; --read-edge: #5b9bd8; --write: #1c4229; --write-edge: #57b67a;
    --cas: #4d3714; --cas-edge: #dfa04a; --delete: #362a52; --delete-edge: #a488dd;
  }
}
body { margin: 2rem auto; padding: 0 1.5rem; max-width: 1280px; background: var(--page); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.2rem; margin: 0 0 .5rem; }
h3, summary { font-size: .95rem; font-weight: 600; margin: 1.1rem 0 .5rem; }
summary { cursor: pointer; }
header p, .small { color: var(--quiet); margin: .3rem 0 0; } .small { font-size: .87rem; }
code { font: .93em ui-monospace, "DejaVu Sans Mono", Menlo, monospace; }
.verdict { font-size: .85rem; font-weight: 600; padding: .25em .7em; border-radius: 1em; color: #fff;
  vertical-align: middle; margin-left: .4em; background: var(--quiet); }
.verdict.violation { background: #c92a2a; } .verdict.linearizable { background: #2b8a3e; }
section { margin: 1.4rem 0; padding: 1.2rem 1.4rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 10px; }
.legend { display: flex; flex-wrap: wrap; gap: .4rem 1.4rem; margin-top: 1.2rem; font-size: .87rem;
  color: var(--quiet); }
.legend span { display: inline-flex; align-items: center; gap: .45rem; }
.swatch { width: 22px; height: 14px; border-radius: 4px; border: 1.5px solid; display: inline-block; }
.swatch.read { background: var(--read); border-color: var(--read-edge); }
.swatch.write { background: var(--write); border-color: var(--write-edge); }
.swatch.cas { background: var(--cas); border-color: var(--cas-edge); }
.swatch.delete { background: var(--delete); border-color: var(--delete-edge); }
.swatch.unknown { border-color: var(--quiet); border-style: dashed; }
.dot { width: 16px; height: 16px; border-radius: 50%; background: var(--order); color: var(--card);
  font: 600 10px/16px system-ui, sans-serif; text-align: center; display: inline-block; }
.dot.bad { background: var(--bad); }
.picture { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; }
svg { display: block; min-width: 100%; font: 12px ui-monospace, "DejaVu Sans Mono", Menlo, monospace; }
.row0 { fill: var(--card); } .row1 { fill: var(--stripe); }
.client { text-anchor: end; fill: var(--quiet); }
.bar rect { stroke-width: 1.5; } .label { fill: var(--ink); }
.bar.read rect { fill: var(--read); stroke: var(--read-edge); }
.bar.write rect { fill: var(--write); stroke: var(--write-edge); }
.bar.cas rect { fill: var(--cas); stroke: var(--cas-edge); }
.bar.delete rect { fill: var(--delete); stroke: var(--delete-edge); }
.bar.faint rect { fill-opacity: .35; stroke-opacity: .45; } .label.faint { fill: var(--quiet); }
.bar.open rect { stroke-dasharray: 5 4; }
.bar.blocked rect { stroke: var(--bad); stroke-width: 2.5; stroke-opacity: 1; }
.order { fill: none; stroke: var(--order); stroke-width: 2; stroke-linejoin: round; opacity: .75; }
.search { stroke: var(--bad); stroke-width: 2; stroke-dasharray: 4 4; }
line.end { stroke: var(--bad); stroke-width: 1.5; stroke-dasharray: 2 3; }
text.end { fill: var(--bad); font-weight: 600; text-anchor: middle; font-family: system-ui, sans-serif; }
.point circle { fill: var(--order); }
.point text { fill: var(--card); text-anchor: middle; font: 600 10px system-ui, sans-serif; }
.cross circle { fill: var(--bad); } .cross path { stroke: #fff; stroke-width: 2.2; fill: none; }
`
