// `node --import ./scripts/lib/erase-types.mjs file.ts`: TypeScript whose types are erased and that is else left as
// it is. What runs for long (a simulation) is faster than with tsx, which gives every function its name once more
// each time that it is made; what runs for a moment starts faster with tsx.
import { register } from 'node:module'

register('./erase-types-hook.mjs', import.meta.url)
