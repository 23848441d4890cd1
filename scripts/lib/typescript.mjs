/** What Node needs to be told to run a program in TypeScript. */
export const RUN_TYPESCRIPT = ['--import', new URL('./erase-types.mjs', import.meta.url).href]
