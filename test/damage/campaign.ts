import { copyFileSync, linkSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import * as path from 'node:path'
import { StopError } from '../../src/errors.ts'
import { Dice } from '../sim/engine/dice.ts'
import { contentOf } from './content.ts'
import type { Content } from './content.ts'
import { corrupt, FILE_CLASSES } from './corruption.ts'
import type { Corruption } from './corruption.ts'
import { makeImage } from './images.ts'
import type { Image } from './images.ts'

export type Verdict = 'detected' | 'harmless' | 'missed'

export interface Outcome extends Corruption {
  /** With the seed, what replays it. */
  readonly number: number
  readonly verdict: Verdict
  /** The error, or in what the content differs. */
  readonly detail: string
}

export interface CampaignOptions {
  readonly seed: number
  readonly count: number
  /** Only this one. */
  readonly only?: number | undefined
  readonly onOutcome?: (outcome: Outcome) => void
}

/** The exit codes with which a node refuses a damaged or foreign directory. */
const REFUSALS: readonly number[] = [4, 7]

/**
 * Damages copies of a data directory, a file at a time, and opens each as a node does before it serves: either it
 * refuses, or the complete logical content must be what it was.
 */
export async function runCampaign(options: CampaignOptions): Promise<Outcome[]> {
  const { seed, count, only } = options
  const parent = mkdtempSync(path.join(tmpdir(), 'balsa-damage-'))
  try {
    const image = await makeImage(parent, seed)
    const reference = path.join(parent, 'reference')
    copyImage(image.directory, reference)
    const expected = await contentOf(reference)
    const classes = Object.keys(FILE_CLASSES)
    const outcomes: Outcome[] = []
    for (let number = 0; number < count; number++) {
      if (only !== undefined && number !== only) continue
      const fileClass = classes[number % classes.length]!
      const outcome = await runCase(
        image,
        expected,
        { number, fileClass, seed },
        path.join(parent, `case-${number}`),
      )
      options.onOutcome?.(outcome)
      outcomes.push(outcome)
    }
    return outcomes
  } finally {
    rmSync(parent, { recursive: true, force: true })
  }
}

async function runCase(
  image: Image,
  expected: Content,
  { number, fileClass, seed }: { number: number; fileClass: string; seed: number },
  directory: string,
): Promise<Outcome> {
  copyImage(image.directory, directory)
  const corruption = corrupt(directory, image, fileClass, Dice.of(seed, `case ${number}`))
  try {
    const found = await contentOf(directory)
    const differs = (Object.keys(expected) as (keyof Content)[]).filter(
      (part) => found[part] !== expected[part],
    )
    const verdict = differs.length === 0 ? 'harmless' : 'missed'
    return { ...corruption, number, verdict, detail: differs.join(', ') }
  } catch (error) {
    const refused = error instanceof StopError && REFUSALS.includes(error.exitCode)
    return { ...corruption, number, verdict: refused ? 'detected' : 'missed', detail: String(error) }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** LevelDB never writes to a table again, so those can be shared. */
function copyImage(from: string, to: string): void {
  mkdirSync(to)
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const source = path.join(from, entry.name)
    const target = path.join(to, entry.name)
    if (entry.isDirectory()) copyImage(source, target)
    else if (entry.name.endsWith('.ldb')) linkSync(source, target)
    else copyFileSync(source, target)
  }
}
