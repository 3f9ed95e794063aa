package pki

import (
	"encoding/asn1"
	"strconv"
	"strings"
)

// OID is an object identifier.
type OID = asn1.ObjectIdentifier

var (
	// RFC 3279, Section 2.3; RFC 5480, Section 2.1.1.
	oidRSA        = OID{1, 2, 840, 113549, 1, 1, 1}
	oidDSA        = OID{1, 2, 840, 10040, 4, 1}
	oidECDSA      = OID{1, 2, 840, 10045, 2, 1}
	oidCurve256   = OID{1, 2, 840, 10045, 3, 1, 7}
	oidCurve384   = OID{1, 3, 132, 0, 34}
	oidCurve521   = OID{1, 3, 132, 0, 35}
	oidSignedData = OID{1, 2, 840, 113549, 1, 7, 2} // RFC 2315, Section 14
	oidData       = OID{1, 2, 840, 113549, 1, 7, 1}

	oidEnvelopedData = OID{1, 2, 840, 113549, 1, 7, 3}

	// RFC 2985, Sections 5.3.1 and 5.3.2: attributes of a signer.
	oidContentType   = OID{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest = OID{1, 2, 840, 113549, 1, 9, 4}

	// RFC 5280, Sections 4.2 and 5.2.
	oidSubjectKeyID     = OID{2, 5, 29, 14}
	oidKeyUsage         = OID{2, 5, 29, 15}
	oidSubjectAltName   = OID{2, 5, 29, 17}
	oidBasicConstraints = OID{2, 5, 29, 19}
	oidCRLNumber        = OID{2, 5, 29, 20}
	oidReasonCode       = OID{2, 5, 29, 21}
	oidDeltaCRL         = OID{2, 5, 29, 27}
	oidIssuingPoint     = OID{2, 5, 29, 28}
	oidCRLPoints        = OID{2, 5, 29, 31}
	oidPolicies         = OID{2, 5, 29, 32}
	oidAuthorityKeyID   = OID{2, 5, 29, 35}
	oidExtKeyUsage      = OID{2, 5, 29, 37}

	// RFC 2985, Sections 5.4.1 and 5.4.2: the password of a request, and the extensions that it asks for.
	oidChallenge        = OID{1, 2, 840, 113549, 1, 9, 7}
	oidExtensionRequest = OID{1, 2, 840, 113549, 1, 9, 14}

	// The user principal name as an otherName [MS-WCCE, Section 2.2.2.7.7.1 names it].
	oidUPN = OID{1, 3, 6, 1, 4, 1, 311, 20, 2, 3}
)

// parseOID reads numbers in dots, without zeros before them.
func parseOID(s string) (OID, bool) {
	var oid OID
	for arc := range strings.SplitSeq(s, ".") {
		n, err := strconv.ParseUint(arc, 10, 31)
		if err != nil || len(arc) > 1 && arc[0] == '0' {
			return nil, false
		}
		oid = append(oid, int(n))
	}
	return oid, len(oid) >= 2 && (oid[0] < 2 && oid[1] < 40 || oid[0] == 2) // X.660, Section 7.6
}
