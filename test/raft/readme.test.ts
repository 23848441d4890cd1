import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'

const FOLDER = join(import.meta.dirname, '../../src/raft')
const README = readFileSync(join(FOLDER, 'README.md'), 'utf8')
const listed = [...README.matchAll(/^\| \[([\w.-]+)\]\(([\w.-]+)\)/gm)].map((match) => match[2]!)

describe('the README of the core', () => {
  it('lists every file of the folder, once', () => {
    const files = readdirSync(FOLDER).filter((file) => file.endsWith('.ts'))
    assert.deepEqual([...listed].sort(), files.sort())
  })

  it('lists each file after those that it needs', () => {
    for (const [place, file] of listed.entries()) {
      const source = readFileSync(join(FOLDER, file), 'utf8')
      for (const [, needed] of source.matchAll(/^import (?!type).* from '\.\/([\w.-]+)'$/gm)) {
        assert.ok(listed.indexOf(needed!) < place, `${file} needs ${needed}`)
      }
    }
  })

  it('links to what is there', () => {
    for (const [, target] of README.matchAll(/\]\((?!http)([^)]+)\)/g)) {
      assert.ok(existsSync(join(FOLDER, target!)), target)
    }
  })
})
