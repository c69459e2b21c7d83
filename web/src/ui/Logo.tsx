export function Logo({ size = 25 }: { readonly size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" aria-hidden="true">
      <path
        d="M6 17.5V7.2c0-.9 1.1-1.3 1.7-.6l8.6 10.8c.6.7 1.7.3 1.7-.6V6.5"
        fill="none"
        stroke="currentColor"
        strokeWidth="2.3"
        strokeLinecap="round"
      />
      <circle cx="6" cy="18.5" r="3" fill="var(--nx-violet)" />
      <circle cx="18" cy="5.5" r="3" fill="var(--nx-mint)" />
    </svg>
  );
}
