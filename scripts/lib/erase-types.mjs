// `node --import ./scripts/lib/erase-types.mjs file.ts`: TypeScript whose types are erased and that is else left as
// it is, with the lines of stacks as they are in the source. Node itself does it from 22.18 on, but for `using`.
import { register } from 'node:module'

process.setSourceMapsEnabled(true)
register('./erase-types-hook.mjs', import.meta.url)
