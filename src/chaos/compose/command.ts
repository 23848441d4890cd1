import { spawn } from 'node:child_process'
import { FaultsError } from '../faults-error.ts'

/** Runs a program to its end. Resolves with its standard output; rejects with FaultsError and what it said. */
export type RunCommand = (program: string, args: readonly string[], input?: string) => Promise<string>

/** Runs programs of this machine. */
export const runCommand: RunCommand = (program, args, input = '') =>
  new Promise((resolve, reject) => {
    const child = spawn(program, [...args], { stdio: 'pipe' })
    const out: Buffer[] = []
    const said: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => said.push(chunk))
    const failed = (why: string) => reject(new FaultsError(`${[program, ...args].join(' ')}: ${why}`))
    child.on('error', (error) => failed(error.message))
    child.on('close', (code, signal) => {
      if (code === 0) return resolve(Buffer.concat(out).toString())
      const words = Buffer.concat(said).toString().trim()
      failed(words === '' ? `ended with ${signal ?? code}` : words)
    })
    // A program that ends without reading what it is given is told by its exit code, not by the broken pipe.
    child.stdin.on('error', () => {})
    child.stdin.end(input)
  })
