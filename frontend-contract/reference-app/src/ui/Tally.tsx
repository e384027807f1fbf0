/** A number that gives a small jump when it changes, and stands still when it is first shown. */

import type { ComponentChildren } from 'preact';
import { useRef } from 'preact/hooks';

interface Props {
  value: number;
  /** Names the number for whoever looks for it. */
  name?: string;
  children: ComponentChildren;
}

export function Tally({ value, name, children }: Props) {
  const first = useRef(value);
  const hasMoved = useRef(false);
  if (value !== first.current) hasMoved.current = true;
  return (
    <span key={value} class={hasMoved.current ? 'tally tally--moved' : 'tally'} data-counter={name}>
      {children}
    </span>
  );
}
