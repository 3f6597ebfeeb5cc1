import { readdir } from 'node:fs/promises'
import type { Entry } from './entry.js'

const folder = new URL('entries/', import.meta.url)

export class UnknownEntryError extends Error {}

/**
 * @returns those asked for, or all that there are: the names of the files in the folder
 * @throws UnknownEntryError naming what there is
 */
export async function chosenNames (asked: readonly string[]): Promise<string[]> {
  const files = await readdir(folder)
  const all = files.flatMap((file) => /^([^.]+)\.[jt]s$/.exec(file)?.[1] ?? []).sort()
  const unknown = asked.find((name) => !all.includes(name))
  if (unknown !== undefined) throw new UnknownEntryError(`There is no bench ${JSON.stringify(unknown)}; there are ${all.join(', ')}.`)
  return asked.length > 0 ? [...asked] : all
}

export async function loadEntry (name: string): Promise<Entry> {
  return (await import(new URL(`${name}.js`, folder).href) as { default: Entry }).default
}
