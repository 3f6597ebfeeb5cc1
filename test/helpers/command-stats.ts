/**
 * How often a server has run each command since its count was reset: not the one that asks, and not PUBLISH and INFO, by
 * which every cache says now and then that it is there, and sees which server it has.
 */
export async function commandStats (asked: { info (section: string): Promise<string> }): Promise<Record<string, number>> {
  const lines = (await asked.info('commandstats')).matchAll(/^cmdstat_(\S+):calls=(\d+)/gm)
  const counts = [...lines].map(([, name, calls]) => [name!, Number(calls)] as const)
  return Object.fromEntries(counts.filter(([name]) => !['publish', 'info', 'config|resetstat'].includes(name)))
}
