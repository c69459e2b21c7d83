/** The one connection of this page to its instance. The gateway and the store come later, with the first page that needs them. */
import { openAccess } from "@nexus/sdk/access";
import { LoggedOutError } from "@nexus/sdk/rest/errors";

export const access = openAccess({ web: true });

/** Whether somebody is logged in, as far as this page can tell. Without a network that is left open: true. */
export async function isLoggedIn(): Promise<boolean> {
  try {
    await access.tokens.current();
    return true;
  } catch (failure) {
    return !(failure instanceof LoggedOutError);
  }
}
