import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

const DIST = fileURLToPath(new URL('../../dist/', import.meta.url))

describe('the build', () => {
  it('imports nothing that is TypeScript: the compiler misses imports in what it takes apart for `await using`', () => {
    const files = readdirSync(DIST, { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('.js'),
    )
    assert.ok(files.length > 100)
    const wrong = files.filter((file) =>
      /(?:from|import\()\s*['"][^'"]+\.ts['"]/.test(readFileSync(join(DIST, file), 'utf8')),
    )
    assert.deepEqual(wrong, [])
  })
})
