import { fileURLToPath } from 'node:url'
import { erased } from './erased.mjs'

/** @type {import('node:module').LoadHook} */
export async function load(url, context, nextLoad) {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return nextLoad(url, context)
  return { format: 'module', source: await erased(fileURLToPath(url)), shortCircuit: true }
}
