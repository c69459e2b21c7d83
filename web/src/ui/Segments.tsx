import { useId } from "react";

export interface SegmentsProps<T extends string> {
  readonly label: string;
  readonly value: T;
  readonly options: readonly (readonly [T, string])[];
  readonly onChange: (value: T) => void;
}

/** One of a few, side by side. */
export function Segments<T extends string>({ label, value, options, onChange }: SegmentsProps<T>) {
  const name = useId();
  return (
    <fieldset className="flex items-center justify-between gap-4">
      <legend className="float-left contents font-medium">{label}</legend>
      <div className="segments">
        {options.map(([key, text]) => (
          <label key={key}>
            <input type="radio" className="vh" name={name} value={key} checked={value === key} onChange={() => onChange(key)} />
            {text}
          </label>
        ))}
      </div>
    </fieldset>
  );
}
