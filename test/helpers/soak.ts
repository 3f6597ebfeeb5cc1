/** Whether the long form is asked for, by `npm run soak`; else the short one runs, as part of all tests. */
export const isSoak = process.env.SOAK === '1'

/** Milliseconds of load: before a fault, in which it lasts at least, and after it. */
export const spans = isSoak
  ? { before: 15_000, fault: 15_000, after: 30_000 }
  : { before: 1_000, fault: 1_000, after: 1_500 }

/** Milliseconds from one thing that somebody does to the next, on average: longer where other tests run on the machine too. */
export const paces = isSoak
  ? { reader: 50, writer: 200 }
  : { reader: 100, writer: 400 }
