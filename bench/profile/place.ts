/** Where a function is written, for people. */
export interface Place {
  name: string
  /** Relative to the project, such as `example-app/routes/users.ts:36`; a package's file from the package's name on. */
  where: string
  whose: Whose
}

/** Whose code it is: V8 is the engine itself, garbage collection and native code included. */
export type Whose = 'headroom' | 'example' | 'services' | 'dependency' | 'node' | 'v8' | 'other'

const FOLDERS: ReadonlyArray<readonly [string, Whose]> = [
  ['plugins/', 'headroom'], ['dist/', 'headroom'],
  ['example-app/', 'example'], ['build/example-app/', 'example'],
  ['services/', 'services'], ['build/services/', 'services']
]

/** @param path as in a `file:` URL, without the project's root where it is below it */
export function whoseIs (path: string): Whose {
  if (path === '') return 'v8'
  if (path.startsWith('node:')) return 'node'
  if (path.includes('node_modules/')) return 'dependency'
  return FOLDERS.find(([folder]) => path.startsWith(folder))?.[1] ?? 'other'
}

/** What one can change here, as against what one runs on. */
export function isOwn (whose: Whose): boolean {
  return whose === 'example' || whose === 'headroom'
}

/** From the innermost package's name on: `node_modules/a/node_modules/b/lib/x.js` is `b/lib/x.js`. */
export function shortPath (path: string): string {
  return path.replace(/^.*node_modules\//, '')
}
