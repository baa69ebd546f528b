// Package commitment says who vouches for a message: signatures and their verification, addresses, wallets, and the agent that alone holds private keys.
package commitment
