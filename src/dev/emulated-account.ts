/** The Region of everything emulated. */
export const EMULATED_REGION = 'us-east-1';
/** moto's account; ministack takes an access key of twelve digits as the account, which makes the two agree. */
export const EMULATED_ACCOUNT_ID = '123456789012';
