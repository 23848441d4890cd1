import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { grpcFrame, merge, parseLog, parseSummary } from '../../bench/etcd/h2load.ts'

/** What h2load 1.52 printed, with another line in the place of its result where a test needs one. */
function printed(requests: string, codes: string): string {
  return [
    'Stopped all clients for thread #0',
    '',
    'finished in 2.00s, 8162.50 req/s, 533.66KB/s',
    `requests: ${requests}`,
    `status codes: ${codes}`,
    'traffic: 1.04MB (1092943) total, 31.90KB (32662) headers (space savings 94.73%), 510.03KB (522274) data',
    '                     min         max         mean         sd        +/- sd',
    'time for request:      304us     14.08ms      1.92ms      1.32ms    90.10%',
    '',
  ].join('\n')
}

describe('the body of a unary call', () => {
  it('is the message behind its length, not compressed', () => {
    assert.deepEqual(grpcFrame(Uint8Array.of(7, 8)), Buffer.from([0, 0, 0, 0, 2, 7, 8]))
    assert.deepEqual(grpcFrame(new Uint8Array(258)).subarray(0, 5), Buffer.from([0, 0, 0, 1, 2]))
    assert.deepEqual(grpcFrame(new Uint8Array(0)), Buffer.alloc(5))
  })
})

describe('what h2load prints', () => {
  it('is read where all went well', () => {
    const text = printed(
      '16325 total, 16341 started, 16325 done, 16325 succeeded, 0 failed, 0 errored, 0 timeout',
      '16325 2xx, 0 3xx, 0 4xx, 0 5xx',
    )
    assert.deepEqual(parseSummary(text), { succeeded: 16325, errors: 0, dataBytes: 522274 })
  })

  it('counts no answer with an error', () => {
    const failed = printed(
      '100 total, 100 started, 100 done, 90 succeeded, 10 failed, 6 errored, 4 timeout',
      '90 2xx, 0 3xx, 0 4xx, 0 5xx',
    )
    assert.deepEqual(parseSummary(failed), { succeeded: 90, errors: 10, dataBytes: 522274 })
    const refused = printed(
      '100 total, 100 started, 100 done, 100 succeeded, 0 failed, 0 errored, 0 timeout',
      '97 2xx, 0 3xx, 1 4xx, 2 5xx',
    )
    assert.deepEqual(parseSummary(refused), { succeeded: 97, errors: 3, dataBytes: 522274 })
  })

  it('is refused where it is something else', () => {
    assert.throws(() => parseSummary('h2load: could not connect'), /did not report as expected/)
  })
})

describe('several h2loads', () => {
  it('are one result: sums, and percentiles of all good answers', () => {
    const log = Array.from({ length: 1000 }, (_, i) => `179587452913${i}\t200\t${(i + 1) * 1000}\n`).join('')
    const answers = parseLog(`${log}1795874529134\t503\t99000000\n`)
    assert.equal(answers.length, 1001)
    const summaries = [
      { succeeded: 400, errors: 0, dataBytes: 4000 },
      { succeeded: 600, errors: 1, dataBytes: 6000 },
    ]
    assert.deepEqual(merge(summaries, answers, 2), {
      opsPerSecond: 500,
      p50: 500,
      p95: 950,
      p99: 990,
      p999: 999,
      errors: 1,
      acknowledged: 1000,
      dataBytes: 10_000,
    })
  })

  it('without an answer are no crash', () => {
    assert.equal(merge([{ succeeded: 0, errors: 8, dataBytes: 0 }], parseLog(''), 1).p99, 0)
  })
})
