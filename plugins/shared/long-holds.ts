const held = new WeakSet<object>()

/** @param connection one that is held for as long as somebody reads, which whoever holds it sees the end of: it is not forgotten */
export function holdLong (connection: object): void {
  held.add(connection)
}

/** It has been given back. */
export function holdNoLonger (connection: object): void {
  held.delete(connection)
}

export function isHeldLong (connection: object): boolean {
  return held.has(connection)
}
