/** How the report looks, on light and on dark screens. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #fbfbfa; --ink: #22252a; --quiet: #6b7280; --line: #e3e4e1; --card: #ffffff;
  --bad: #c92a2a; --good: #2b8a3e; --band: #c92a2a;
  --ok: #7cb5e8; --failed: #e8590c; --unknown: #c08a00; --p50: #1c7ed6; --p99: #9c36b5;
  --leader: #2b8a3e; --follower: #c9d6df; --candidate: #f08c00; --away: #fff;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #16181b; --ink: #e6e7e9; --quiet: #9aa0a8; --line: #2d3136; --card: #1a1d20;
    --bad: #ff7b72; --good: #63c77e; --band: #ff7b72;
    --ok: #2f6ea6; --failed: #ff922b; --unknown: #fcc419; --p50: #74c0fc; --p99: #da77f2;
    --leader: #40a85f; --follower: #3d4a54; --candidate: #ffa94d; --away: #1a1d20;
  }
}
body { margin: 2rem auto; padding: 0 1.5rem; max-width: 1180px; background: var(--page); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.15rem; margin: 0 0 .6rem; }
header p, .small { color: var(--quiet); margin: .3rem 0 0; }
code { font: .93em ui-monospace, "DejaVu Sans Mono", Menlo, monospace; }
pre { overflow-x: auto; font: .87em/1.45 ui-monospace, "DejaVu Sans Mono", Menlo, monospace; }
.verdict { font-size: .85rem; font-weight: 600; padding: .25em .8em; border-radius: 1em; color: #fff;
  vertical-align: middle; margin-left: .4em; }
.verdict.ok { background: #2b8a3e; } .verdict.violation { background: #c92a2a; }
.tiles { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1.3rem 0; }
.tiles div { flex: 1 1 120px; background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: .7rem .9rem; }
.tiles b { display: block; font-size: 1.3rem; font-weight: 600; } .tiles span { color: var(--quiet); font-size: .85rem; }
section { margin: 1.2rem 0; padding: 1.1rem 1.3rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 10px; }
section.bad { border-color: var(--bad); } section.bad b { color: var(--bad); }
table { border-collapse: collapse; width: 100%; font-size: .93rem; }
th { text-align: left; font-weight: 600; color: var(--quiet); }
td, th { padding: .35rem .7rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tr:last-child td { border-bottom: 0; }
.num { text-align: right; white-space: nowrap; width: 4.5rem; padding-right: 1.2rem; }
.yes { color: var(--good); width: 1.5rem; } .no { color: var(--bad); width: 1.5rem; }
summary { cursor: pointer; font-weight: 600; } details table { margin-top: .8rem; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.3rem; font-size: .87rem; color: var(--quiet); margin-bottom: .8rem; }
.legend span { display: inline-flex; align-items: center; gap: .45rem; }
.legend i { width: 22px; height: 13px; border-radius: 3px; display: inline-block; }
i.leader { background: var(--leader); } i.follower { background: var(--follower); }
i.candidate { background: var(--candidate); }
i.unreachable { background: var(--away); outline: 1px dashed var(--quiet); outline-offset: -1px; }
i.band { background: color-mix(in srgb, var(--band) 18%, transparent); }
.picture { overflow-x: auto; }
svg { display: block; font: 11.5px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
.title { font-weight: 600; fill: var(--ink); } .name { text-anchor: end; fill: var(--quiet); }
.axis { text-anchor: middle; fill: var(--quiet); } .key { text-anchor: end; font-weight: 600; }
.grid, .tick { stroke: var(--line); }
rect.band { fill: var(--band); fill-opacity: .08; }
rect.ok { fill: var(--ok); } rect.failed { fill: var(--failed); } rect.unknown { fill: var(--unknown); }
polyline { fill: none; stroke-width: 1.8; stroke-linejoin: round; stroke-linecap: round; }
polyline.p50 { stroke: var(--p50); } polyline.p99 { stroke: var(--p99); }
tspan.p50 { fill: var(--p50); } tspan.p99 { fill: var(--p99); }
rect.leader { fill: var(--leader); } rect.follower { fill: var(--follower); } rect.candidate { fill: var(--candidate); }
rect.unreachable { fill: var(--away); stroke: var(--quiet); stroke-dasharray: 3 3; stroke-opacity: .7; }
.term { fill: #fff; font-size: 10.5px; font-weight: 600; }
rect.fault { fill: var(--band); fill-opacity: .35; } .label { fill: var(--ink); font-size: 11px; }
rect.fault.cut { fill: var(--p99); } rect.fault.slow { fill: var(--unknown); } rect.fault.pause { fill: var(--p50); }
.healed { stroke: var(--good); stroke-width: 1.5; stroke-dasharray: 2 3; }
`
