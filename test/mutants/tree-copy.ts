import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { edited } from './mutant.ts'
import type { Edit } from './mutant.ts'

/** What tests need of the tree. */
const PARTS = ['src', 'test', 'protos', 'scripts', 'docs', 'package.json', 'tsconfig.json']

/** A copy of the tree in a temporary folder, to be changed at will; the checkout is never touched. */
export class TreeCopy implements Disposable {
  readonly root: string

  /** @param source the root of the tree to copy */
  constructor(source: string) {
    this.root = mkdtempSync(join(tmpdir(), 'balsa-mutants-'))
    for (const part of PARTS) {
      if (existsSync(join(source, part)))
        cpSync(join(source, part), join(this.root, part), { recursive: true })
    }
    symlinkSync(join(source, 'node_modules'), join(this.root, 'node_modules'))
    // What has been made of files goes by what is in them: all copies share it.
    const cache = join(source, '.cache')
    mkdirSync(cache, { recursive: true })
    symlinkSync(cache, join(this.root, '.cache'))
  }

  /** The changed files with their new text. Throws an Error where an edit does not fit. */
  edit(edits: readonly Edit[]): Map<string, string> {
    const changed = new Map<string, string>()
    for (const edit of edits) {
      const text = changed.get(edit.file) ?? readFileSync(join(this.root, edit.file), 'utf8')
      changed.set(edit.file, edited(text, edit))
    }
    return changed
  }

  /** Puts changed files in place. Returns what puts the old ones back. */
  apply(changed: ReadonlyMap<string, string>): () => void {
    const before = [...changed.keys()].map((file) => [file, readFileSync(join(this.root, file))] as const)
    for (const [file, text] of changed) writeFileSync(join(this.root, file), text)
    return () => {
      for (const [file, bytes] of before) writeFileSync(join(this.root, file), bytes)
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true })
  }
}
