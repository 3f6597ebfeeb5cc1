// @ts-expect-error: it has no types of its own, and nobody publishes any.
import calculateSlot from 'cluster-key-slot'

/** The slot of a key in Redis Cluster, from 0 to 16,383. */
export const slotOf: (key: string) => number = calculateSlot
