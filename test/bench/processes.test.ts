import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseUsage, usageOf } from '../../bench/processes.ts'

describe('what a process uses', () => {
  const numbers = Array.from({ length: 40 }, (_, i) => `${i + 3}`)

  it('is read from behind its name, whatever that is', () => {
    // Fields 14 and 15 are user and system time; those behind the name begin with the third.
    const stat = `12 (a) R (b) ${numbers.join(' ')}`
    assert.deepEqual(parseUsage(stat, 'VmPeak:\t 9 kB\nVmRSS:\t  2048 kB\n', 100), {
      cpuMs: 290,
      rssBytes: 2_097_152,
    })
  })

  it('is refused where it is not there', () => {
    assert.throws(() => parseUsage(`12 (a) ${numbers.join(' ')}`, '', 100), /proc/)
    assert.throws(() => parseUsage('12 (a) R', 'VmRSS: 1 kB\n', 100), /proc/)
  })

  it('is not known of a process that is not', () => {
    assert.equal(usageOf(2 ** 30), undefined)
  })

  it('grows on this very process', { skip: process.platform !== 'linux' }, () => {
    const before = usageOf(process.pid)!
    assert.ok(before.rssBytes > 1e6)
    while (usageOf(process.pid)!.cpuMs === before.cpuMs) Math.hypot(1, 2)
    assert.ok(usageOf(process.pid)!.cpuMs > before.cpuMs)
  })
})
