package hosts

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// AccountRights is who may access a computer from the network: the accounts of the domain
// with their groups, and the two rights of this computer that name accounts or
// groups (claim C242). IKE evaluates them for the account that a peer's certificate is mapped to.
type AccountRights struct {
	Accounts map[string][]string // the account as HOST$@domain, in any case: its groups
	Allow    []string            // "Access this computer from the network"; none: everyone
	Deny     []string            // "Deny access to this computer from the network", which goes before Allow
}

// admit says why an account may not access the computer; nil: it may.
func (a AccountRights) admit(principal string) error {
	names, ok := a.memberships(principal)
	if !ok {
		return fmt.Errorf("there is no account %s", principal)
	}
	for _, right := range a.Deny {
		if slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, right) }) {
			return fmt.Errorf("%s is denied access to this computer from the network, as %s", principal, right)
		}
	}
	if len(a.Allow) == 0 {
		return nil
	}
	for _, right := range a.Allow {
		if slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, right) }) {
			return nil
		}
	}
	return fmt.Errorf("%s may not access this computer from the network: neither it nor a group of its is allowed", principal)
}

// memberships are an account and its groups.
func (a AccountRights) memberships(principal string) (names []string, ok bool) {
	for _, account := range slices.Sorted(maps.Keys(a.Accounts)) {
		if strings.EqualFold(account, principal) {
			return append([]string{account}, a.Accounts[account]...), true
		}
	}
	return nil, false
}
