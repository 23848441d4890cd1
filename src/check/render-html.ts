import { startOf } from './explain.ts'
import { escapeHtml, renderSvg } from './render-svg.ts'
import { counts } from './render-text.ts'
import { STYLE } from './style.ts'
import type { CheckResult, Operation, OperationKind, Violation, Window } from './types.ts'

export interface HtmlOptions {
  /** What was checked. Default: "History". */
  readonly title?: string
}

/** How many operations the picture of a window's surroundings shows, at most. */
const MOST_AROUND = 60

/** How many operations it shows that were called before the window began. */
const BEFORE = 8

const KINDS: readonly (readonly [kind: OperationKind, words: string])[] = Object.freeze([
  ['read', 'read'],
  ['write', 'write'],
  ['cas', 'compare and swap'],
  ['delete', 'delete'],
])

/** What matters most is at the right. */
const SCROLL_TO_THE_END =
  "<script>for (const each of document.querySelectorAll('.picture')) each.scrollLeft = each.scrollWidth</script>"

/**
 * What a check found, as a page that needs nothing else: for each violation the smallest window as a timeline, why
 * it has no legal order, and what happened around it.
 */
export function renderHtml<State, Input, Output>(
  result: CheckResult<State, Input, Output>,
  { title = 'History' }: HtmlOptions = {},
): string {
  const { verdict, violations, undecided } = result
  const words = { linearizable: 'linearizable', violation: 'not linearizable', undecided: 'undecided' }[
    verdict
  ]
  const undecidedKeys = undecided.map((key) => `<code>${escapeHtml(key)}</code>`).join(', ')
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escapeHtml(title)}: ${words}</title>`,
    `<style>${STYLE}</style></head><body>`,
    `<header><h1>${escapeHtml(title)} <span class="verdict ${verdict}">${words}</span></h1>`,
    `<p>${counts(result)}, model <code>${escapeHtml(result.model.name)}</code></p></header>`,
    undecided.length > 0
      ? `<p class="note">The steps ended before these keys had an answer: ${undecidedKeys}</p>`
      : '',
    violations.length > 0 ? legend(result) : '',
    ...violations.map((violation, index) => section(result, violation, index + 1)),
    violations.length > 0 ? SCROLL_TO_THE_END : '',
    '</body></html>\n',
  ]
    .filter((part) => part !== '')
    .join('\n')
}

function legend<State, Input, Output>({ model, violations }: CheckResult<State, Input, Output>): string {
  const used = new Set(violations.flatMap(({ history }) => history.map(({ input }) => model.kind(input))))
  const kinds = KINDS.filter(([kind]) => used.has(kind)).map(
    ([kind, words]) => `<span><i class="swatch ${kind}"></i>${words}</span>`,
  )
  return [
    '<div class="legend">',
    ...kinds,
    '<span><i class="swatch unknown"></i>outcome unknown</span>',
    '<span><i class="dot">1</i>the longest legal order</span>',
    '<span><i class="dot bad">✗</i>has no place in it before its return</span>',
    '</div>',
  ].join('')
}

function section<State, Input, Output>(
  { model }: CheckResult<State, Input, Output>,
  violation: Violation<Input, Output>,
  number: number,
): string {
  const { key, window, explanation, history } = violation
  const operations = byCall([...window.operations, ...window.context])
  const around = surroundings(violation)
  const context =
    window.context.length === 0
      ? ''
      : '<p class="small">Faint: the setting, such as the write that a read saw.</p>'
  const picture = renderSvg(model, {
    start: startOf(model, window),
    operations,
    emphasized: new Set(window.operations),
    order: window.order,
    blocked: window.blocked,
  })
  return [
    `<section><h2>${number}. Key <code>${escapeHtml(key)}</code></h2>`,
    `<p>${escapeHtml(explanation)}</p>`,
    `<h3>The smallest window: ${operations.length} of ${history.length} operations</h3>`,
    `<div class="picture">${picture}</div>${context}`,
    around.length > operations.length ? surroundingsPicture(model, violation, around) : '',
    '</section>',
  ].join('\n')
}

function surroundingsPicture<State, Input, Output>(
  model: CheckResult<State, Input, Output>['model'],
  { order, blocked, window, history }: Violation<Input, Output>,
  around: readonly Operation<Input, Output>[],
): string {
  const picture = renderSvg(model, {
    start: model.initial,
    operations: around,
    emphasized: windowOperations(window),
    order,
    blocked,
  })
  return [
    `<details open><summary>In the history: ${around.length} of the key's ${history.length} operations, `,
    `with the longest legal order of all of them (${order.length} operations)</summary>`,
    `<div class="picture">${picture}</div></details>`,
  ].join('')
}

/** The operations of the key while the window lasted, a few before them, and where the longest order of them all ended. */
function surroundings<Input, Output>({
  window,
  history,
  blocked,
}: Violation<Input, Output>): Operation<Input, Output>[] {
  const own = windowOperations(window)
  const core = [...own, blocked]
  const start = Math.min(...core.map(({ call }) => call))
  const end = Math.max(...core.map((operation) => endOf(operation, operation.call)))
  const before = history.filter(({ call }) => call < start)
  const recent = new Set(before.slice(-BEFORE))
  const during = history.filter(
    (operation) =>
      recent.has(operation) || (operation.call <= end && endOf(operation, operation.call) >= start),
  )
  if (during.length <= MOST_AROUND) return during
  // The end tells most; what belongs to the window is kept in any case.
  const kept = new Set([...during.slice(-MOST_AROUND), ...during.filter((operation) => own.has(operation))])
  return byCall([...kept])
}

function windowOperations<Input, Output>(window: Window<Input, Output>): Set<Operation<Input, Output>> {
  return new Set([...window.operations, ...window.context])
}

function endOf({ output, return: end }: Operation, otherwise: number): number {
  return output === undefined ? otherwise : end
}

function byCall<O extends Operation>(operations: readonly O[]): O[] {
  return [...operations].sort((a, b) => a.call - b.call)
}
