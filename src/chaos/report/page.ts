import { type CheckResult, type KvInput, type KvOutput, renderText } from '../../check/index.ts'
import { quantile } from '../meter.ts'
import type { ChaosResult, ExpectationResult } from '../result.ts'
import { renderCharts } from './charts.ts'
import { escapeHtml, seconds } from './format.ts'
import { STYLE } from './style.ts'

export interface ReportOptions {
  /** What the checker found, for its timelines of violations. */
  readonly check?: CheckResult<unknown, KvInput, KvOutput> | undefined
}

const ROLES: readonly (readonly [role: string, words: string])[] = Object.freeze([
  ['leader', 'leader'],
  ['follower', 'follower'],
  ['candidate', 'candidate'],
  ['unreachable', 'does not answer'],
])

/** A run as a page that needs nothing else: the verdict, the timeline, and what is behind both. */
export function renderChaosReport(result: ChaosResult, { check }: ReportOptions = {}): string {
  const { verdict, name, nodes, durationMs, seed, problems } = result
  const title = verdict === 'ok' ? 'ok' : `${problems.length} problem${problems.length === 1 ? '' : 's'}`
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
    `<title>balsa chaos: ${escapeHtml(name)}</title><style>${STYLE}</style></head><body>`,
    `<header><h1>${escapeHtml(name)} <span class="verdict ${verdict}">${title}</span></h1>`,
    `<p>${nodes.length} nodes (${nodes.map(escapeHtml).join(', ')}), ${seconds(durationMs)}, seed ${seed}</p></header>`,
    `<div class="tiles">${tiles(result).join('')}</div>`,
    problems.length > 0 ? problemSection(result, check) : '',
    `<section><h2>What happened</h2>${legend()}${renderCharts(result)}</section>`,
    result.expectations.length > 0 ? expectationSection(result.expectations) : '',
    promiseSection(result),
    faultSection(result),
    '</body></html>',
  ].join('\n')
}

function tiles({ operations, seconds: perSecond, gaps, faults, terms }: ChaosResult): string[] {
  const busy = perSecond.map(({ ok }) => ok).filter((ok) => ok > 0)
  const median =
    quantile(
      busy.sort((a, b) => a - b),
      0.5,
    ) ?? 0
  const longest = Math.max(0, ...gaps.map(({ fromMs, toMs }) => toMs - fromMs))
  const tile = (value: string, words: string) => `<div><b>${value}</b><span>${words}</span></div>`
  return [
    tile(count(operations.ok), 'operations succeeded'),
    tile(count(operations.failed), 'failed for certain'),
    tile(count(operations.unknown), 'of unknown outcome'),
    tile(`${median}/s`, 'median of the seconds with a success'),
    tile(longest === 0 ? '–' : seconds(longest), 'longest without a success'),
    tile(count(faults.length), 'faults'),
    tile(count(terms), 'terms with a leader'),
  ]
}

function legend(): string {
  const roles = ROLES.map(([role, words]) => `<span><i class="role ${role}"></i>${words}</span>`)
  return `<div class="legend">${roles.join('')}<span><i class="band"></i>fault</span></div>`
}

function problemSection({ problems }: ChaosResult, check: ReportOptions['check']): string {
  const items = problems.map(({ kind, text }) => {
    const [first = '', ...more] = text.split('\n')
    const rest = more.join('\n').trim()
    const body = rest === '' ? `<p>${escapeHtml(first)}</p>` : `<pre>${escapeHtml(text)}</pre>`
    return `<li><b>${kind}</b>${body}</li>`
  })
  const isShown = check === undefined || problems.some(({ kind }) => kind === 'not-linearizable')
  const words = isShown ? '' : `<pre>${escapeHtml(renderText(check))}</pre>`
  return `<section class="bad"><h2>What is wrong</h2><ul>${items.join('')}</ul>${words}</section>`
}

function expectationSection(expectations: readonly ExpectationResult[]): string {
  const rows = expectations.map(({ text, atMs, tookMs, wrong }) => {
    const found = wrong === undefined ? `so after ${seconds(tookMs)}` : escapeHtml(wrong)
    const mark = wrong === undefined ? '<td class="yes">✔</td>' : '<td class="no">✖</td>'
    return `<tr>${mark}<td class="num">${seconds(atMs)}</td><td>${escapeHtml(text)}</td><td>${found}</td></tr>`
  })
  return (
    '<section><h2>What was expected</h2><table><tr><th></th><th class="num">at</th><th>expected</th><th>found</th></tr>' +
    `${rows.join('')}</table></section>`
  )
}

/** What was promised, and how each promise was looked at. */
function promiseSection({ checked, unique, terms, loggedTerms, stateHash, problems }: ChaosResult): string {
  const broken = (...kinds: string[]) => problems.some(({ kind }) => kinds.includes(kind))
  const row = (isBroken: boolean, promise: string, how: string) =>
    `<tr><td class="${isBroken ? 'no">✖' : 'yes">✔'}</td><td>${promise}</td><td>${how}</td></tr>`
  const { operations, keys } = checked
  return [
    '<section><h2>What was promised</h2><table>',
    row(
      broken('not-linearizable', 'undecided'),
      'Every operation takes effect at one moment',
      `${count(operations)} operations on ${count(keys)} keys, checked for linearizability: ${checked.verdict}`,
    ),
    row(
      broken('lost'),
      'Nothing acknowledged is lost',
      `${count(unique.acknowledged)} keys, each written once and acknowledged, read back`,
    ),
    row(
      broken('applied-twice', 'undead'),
      'A write is applied once, one that failed for certain not at all',
      `their versions, and those of ${count(unique.unknown)} of unknown outcome and ${count(unique.failed)} that failed`,
    ),
    row(
      broken('two-leaders'),
      'A term has one leader at most',
      `every node asked ten times a second, and all logs read; ${count(terms)} terms had a leader, ` +
        `of ${count(loggedTerms)} a log tells`,
    ),
    row(
      broken('replicas-differ', 'not-settled'),
      'All nodes hold the same in the end',
      `state hash ${stateHash === null ? 'not agreed on' : `<code>${escapeHtml(stateHash.slice(0, 16))}…</code>`}`,
    ),
    row(
      broken('died'),
      'No node ends by itself',
      'every node that nobody ended answered when all was healed',
    ),
    '</table></section>',
  ].join('\n')
}

function faultSection({ faults, skipped }: ChaosResult): string {
  const rows = [...faults]
    .sort((a, b) => a.fromMs - b.fromMs)
    .map(
      ({ fromMs, toMs, label }) =>
        `<tr><td class="num">${seconds(fromMs)}</td><td class="num">${seconds(toMs - fromMs)}</td><td>${escapeHtml(label)}</td></tr>`,
    )
  const left = skipped > 0 ? `<p class="small">${skipped} steps had nothing to do something to.</p>` : ''
  return (
    `<section><details><summary>${faults.length} faults</summary><table><tr><th class="num">at</th><th class="num">for</th>` +
    `<th>what</th></tr>${rows.join('')}</table>${left}</details></section>`
  )
}

function count(value: number): string {
  return value.toLocaleString('en')
}
