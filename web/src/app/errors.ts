/** From a failure to the sentence that says what happened and what to do. */
import { ApiError, LoggedOutError, NetworkError } from "@nexus/sdk/rest/errors";
import i18next from "i18next";

const known = new Set([
  "bad_credentials",
  "username_taken",
  "busy",
  "missing_permission",
  "invite_invalid",
  "unknown_invite",
  "not_found",
  "owner_required",
  "storage_full",
  "registration_closed",
  "invalid_setup_token",
  "already_set_up",
  "invalid_body",
  "nonce_conflict",
]);

/** What to say of a message that was not sent: `offline` when nothing answered, else the refusal's word and the instance's sentence. */
export function reasonOf(reason: string, detail: string | null): string {
  if (known.has(reason)) return i18next.t(`errors.${reason as "busy"}`);
  return detail ?? i18next.t("errors.unknown");
}

export function sentenceOf(failure: unknown): string {
  if (failure instanceof NetworkError) return i18next.t("errors.network");
  if (failure instanceof LoggedOutError) return i18next.t("errors.logged_out");
  if (!(failure instanceof ApiError)) return i18next.t("errors.unknown");
  if (failure.reason === "rate_limited") {
    const seconds = failure.retryAfterS === null ? null : Math.ceil(failure.retryAfterS);
    return seconds ? i18next.t("errors.rate_limited", { seconds }) : i18next.t("errors.rate_limited_soon");
  }
  return reasonOf(failure.reason, failure.status >= 500 ? null : failure.message);
}
