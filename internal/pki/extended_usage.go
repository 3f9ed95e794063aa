package pki

import (
	"fmt"
	"strings"
)

// extendedUsages are the purposes of keys by name: RFC 5280, Section 4.2.1.12, RFC 4945,
// Section 5.1.3.12, and the three of RFC 2459 for IPsec that RFC 4945 has given up.
var extendedUsages = []struct {
	name string
	oid  OID
}{
	{"anyExtendedKeyUsage", OID{2, 5, 29, 37, 0}},
	{"serverAuth", OID{1, 3, 6, 1, 5, 5, 7, 3, 1}},
	{"clientAuth", OID{1, 3, 6, 1, 5, 5, 7, 3, 2}},
	{"codeSigning", OID{1, 3, 6, 1, 5, 5, 7, 3, 3}},
	{"emailProtection", OID{1, 3, 6, 1, 5, 5, 7, 3, 4}},
	{"ipsecEndSystem", OID{1, 3, 6, 1, 5, 5, 7, 3, 5}},
	{"ipsecTunnel", OID{1, 3, 6, 1, 5, 5, 7, 3, 6}},
	{"ipsecUser", OID{1, 3, 6, 1, 5, 5, 7, 3, 7}},
	{"ipsecIKE", OID{1, 3, 6, 1, 5, 5, 7, 3, 17}},
	{"iKEIntermediate", OID{1, 3, 6, 1, 5, 5, 8, 2, 2}},
}

// ParseExtendedUsage reads the name of a purpose, in any case, or its number in dots.
func ParseExtendedUsage(s string) (OID, error) {
	var names []string
	for _, u := range extendedUsages {
		if strings.EqualFold(u.name, s) {
			return u.oid, nil
		}
		names = append(names, u.name)
	}
	if oid, ok := parseOID(s); ok {
		return oid, nil
	}
	return nil, fmt.Errorf("pki: %q is no purpose of a key: want one of %s, or a number such as 1.3.6.1.5.5.7.3.1", s, strings.Join(names, ", "))
}
