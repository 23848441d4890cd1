import { rm, writeFile } from 'node:fs/promises'
import { UsageError } from '../failure.ts'

/**
 * Files that are written at the end of something long. They are made at its beginning, because what cannot be written
 * would have been a run for nothing, and those in which nothing was written in the end are removed.
 */
export class OutputFiles implements AsyncDisposable {
  readonly #made = new Set<string>()

  private constructor() {}

  /** @throws UsageError where one cannot be written */
  static async make(paths: readonly (string | undefined)[]): Promise<OutputFiles> {
    const files = new OutputFiles()
    try {
      for (const path of paths) if (path !== undefined) await files.#make(path)
    } catch (error) {
      await files[Symbol.asyncDispose]()
      throw error
    }
    return files
  }

  /** Writes what `content` says, where there is a file for it. */
  async write(path: string | undefined, content: () => string): Promise<void> {
    if (path === undefined) return
    await writeFile(path, content())
    this.#made.delete(path)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#made].map((path) => rm(path, { force: true })))
  }

  /** One that is there already stays as it is until it is written. */
  async #make(path: string): Promise<void> {
    try {
      await writeFile(path, '', { flag: 'wx' })
      this.#made.add(path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') await usable(path)
      else throw new UsageError(`${path}: ${(error as Error).message}`)
    }
  }
}

async function usable(path: string): Promise<void> {
  try {
    await writeFile(path, '', { flag: 'a' })
  } catch (error) {
    throw new UsageError(`${path}: ${(error as Error).message}`)
  }
}
