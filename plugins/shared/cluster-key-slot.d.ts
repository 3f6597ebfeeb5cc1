declare module 'cluster-key-slot' {
  /** @returns the slot of a key in Redis Cluster, from 0 to 16,383 */
  export default function calculateSlot (key: string | Buffer): number
}
