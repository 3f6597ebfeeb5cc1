import { randomBytes, randomInt } from 'node:crypto'

/** What a fault of a disk, a network or a program makes of bytes: never the same as before. */
export function damaged (sound: Buffer): Buffer {
  const bytes = Buffer.from(sound)
  const at = randomInt(bytes.length)
  switch (randomInt(5)) {
    case 0: return randomBytes(randomInt(1, 100))
    case 1: return bytes.subarray(0, at)
    case 2: return Buffer.concat([bytes, randomBytes(randomInt(1, 20))])
    case 3: {
      // One bit.
      bytes[at] = bytes[at]! ^ (1 << randomInt(8))
      return bytes
    }
    default: {
      const noise = randomBytes(Math.min(8, bytes.length - at))
      if (noise.equals(bytes.subarray(at, at + noise.length))) noise[0] = noise[0]! ^ 1
      bytes.set(noise, at)
      return bytes
    }
  }
}
