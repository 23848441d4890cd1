import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'

const ROOT = dirname(dirname(import.meta.dirname))

/** The relative links of a page, without their anchors. */
function linksOf(text: string): string[] {
  const targets = Array.from(text.matchAll(/\]\(([^)\s]+)\)/g), ([, target = '']) => target)
  return targets.filter((target) => !/^(https?:|#)/.test(target)).map((target) => target.replace(/#.*/, ''))
}

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(text: string): string[] {
  const headings = Array.from(text.matchAll(/^#+ (.*)$/gm), ([, heading = '']) => heading)
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  )
}

describe('the documentation', () => {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  const pages = listed.split('\n').filter((page) => page !== '' && existsSync(join(ROOT, page)))

  it('has pages', () => assert.ok(pages.includes('README.md') && pages.includes('docs/README.md')))

  for (const page of pages) {
    it(`links from ${page} only to what exists`, () => {
      const text = readFileSync(join(ROOT, page), 'utf8')
      const missing = linksOf(text).filter((target) => !existsSync(join(ROOT, dirname(page), target)))
      assert.deepEqual(missing, [])
      const anchors = Array.from(text.matchAll(/\]\(#([^)]+)\)/g), ([, anchor = '']) => anchor)
      const known = anchorsOf(text)
      assert.deepEqual(
        anchors.filter((anchor) => !known.includes(anchor)),
        [],
      )
    })
  }

  it('names every page of docs in its index', () => {
    const index = linksOf(readFileSync(join(ROOT, 'docs/README.md'), 'utf8'))
    const inDocs = pages.filter((page) => /^docs\/[^/]+\.md$/.test(page) && page !== 'docs/README.md')
    assert.deepEqual(
      inDocs.filter((page) => !index.includes(page.slice('docs/'.length))),
      [],
    )
  })

  it('is checked by a test that would notice', () => {
    assert.deepEqual(linksOf('[a](b.md#c) [d](https://e) [f](#g)'), ['b.md'])
    assert.deepEqual(anchorsOf('# A thing\n## What’s next?'), ['a-thing', 'whats-next'])
  })
})
