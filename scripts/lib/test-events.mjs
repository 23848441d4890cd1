import { appendFileSync } from 'node:fs'
import { inspect } from 'node:util'

/**
 * A reporter for node:test that writes what happens to the file named by `BALSA_TEST_EVENTS`, a line of JSON
 * each, synchronously: what was written is there even if the process dies right after. scripts/test.mjs reads it.
 * With `BALSA_TEST_STOP=at failure` it ends the process at the first one.
 *
 * @typedef {object} TestEvent
 * @property {'begin' | 'start' | 'pass' | 'fail' | 'warning' | 'end'} type `begin` comes at once; `start` only
 *   when it is the test's turn to be reported
 * @property {string} [name]
 * @property {number} [nesting] 0: at the top of its file
 * @property {boolean} [suite]
 * @property {string} [skip] why, if it was
 * @property {string} [failureType] node:test's word for how it failed
 * @property {string} [error] of a failure or warning
 */

/** @param {AsyncIterable<{ type: string, data: any }>} source */
export default async function* testEvents(source) {
  for await (const { type, data } of source) {
    if (type === 'test:dequeue') write({ type: 'begin', name: data.name })
    if (type === 'test:start') write({ type: 'start', name: data.name, nesting: data.nesting })
    if (type === 'test:pass') write({ type: 'pass', ...describe(data) })
    if (type === 'test:fail') {
      const error = data.details.error
      write({
        type: 'fail',
        ...describe(data),
        failureType: error?.failureType,
        error: withoutInternals(inspect(error?.cause ?? error)),
      })
      if (process.env['BALSA_TEST_STOP'] === 'at failure') process.exit(1)
    }
    // Such as an error thrown after its test had ended, which is part of no test's result.
    if (type === 'test:diagnostic' && /^(Error|Warning):/.test(data.message)) {
      write({ type: 'warning', error: data.message })
    }
  }
  write({ type: 'end' })
  yield ''
}

/**
 * @param {any} data
 * @returns {Omit<TestEvent, 'type'>}
 */
function describe(data) {
  const skip = data.skip ?? data.todo
  return {
    name: data.name,
    nesting: data.nesting,
    suite: data.details.type === 'suite',
    skip: skip === undefined || skip === false ? undefined : String(skip),
  }
}

/**
 * A stack without the lines that are only about the test runner.
 * @param {string} text
 */
function withoutInternals(text) {
  const lines = text.split('\n')
  return lines
    .filter((line) => !/^\s+at .*\(?node:internal|^\s+at .*\(node:async_hooks/.test(line))
    .join('\n')
}

/** @param {TestEvent} event */
function write(event) {
  const file = process.env['BALSA_TEST_EVENTS']
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(event)}\n`)
}
