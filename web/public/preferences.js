// Runs before the first paint, so that a chosen theme does not flash. The page itself reads the same keys in look/preferences.ts.
for (const name of ["theme", "contrast", "density"]) {
  try {
    const value = localStorage.getItem(`nexus.${name}`);
    if (value) document.documentElement.dataset[`nx${name[0].toUpperCase()}${name.slice(1)}`] = value;
  } catch {
    // No storage: the system's wishes hold.
  }
}
