package pki

import "strings"

// attributeType is one kind of attribute and what it is called.
type attributeType struct {
	oid      OID
	rfc      string   // RFC 4514, Section 3, or the descriptor that LDAP knows
	windows  string   // as CertNameToStr prints it
	more     []string // what else people write
	encoding Encoding // when the characters fit
	rank     int      // how general: the lower, the nearer to the root of the directory
}

// Attribute types of names.
var (
	AttributeCN = OID{2, 5, 4, 3}
	AttributeC  = OID{2, 5, 4, 6}
	AttributeL  = OID{2, 5, 4, 7}
	AttributeST = OID{2, 5, 4, 8}
	AttributeO  = OID{2, 5, 4, 10}
	AttributeOU = OID{2, 5, 4, 11}
	AttributeDC = OID{0, 9, 2342, 19200300, 100, 1, 25}
	AttributeE  = OID{1, 2, 840, 113549, 1, 9, 1}
)

// S, ST and the many names of the mail address are one attribute each: claim C111.
var attributeTypes = []attributeType{
	{AttributeDC, "DC", "DC", []string{"domainComponent"}, EncodingIA5, 0},
	{AttributeC, "C", "C", []string{"countryName"}, EncodingPrintable, 1},
	{AttributeST, "ST", "S", []string{"SP", "stateOrProvinceName"}, EncodingPrintable, 2},
	{AttributeL, "L", "L", []string{"localityName"}, EncodingPrintable, 3},
	{OID{2, 5, 4, 9}, "STREET", "STREET", []string{"streetAddress"}, EncodingPrintable, 4},
	{AttributeO, "O", "O", []string{"organizationName"}, EncodingPrintable, 5},
	{AttributeOU, "OU", "OU", []string{"organizationalUnitName"}, EncodingPrintable, 6},
	{AttributeCN, "CN", "CN", []string{"commonName"}, EncodingPrintable, 7},
	{OID{2, 5, 4, 4}, "SN", "SN", []string{"surname"}, EncodingPrintable, 7},
	{OID{2, 5, 4, 42}, "GN", "G", []string{"givenName"}, EncodingPrintable, 7},
	{OID{2, 5, 4, 43}, "initials", "I", nil, EncodingPrintable, 7},
	{OID{2, 5, 4, 12}, "title", "T", nil, EncodingPrintable, 7},
	{OID{2, 5, 4, 13}, "description", "Description", nil, EncodingPrintable, 7},
	{OID{2, 5, 4, 5}, "serialNumber", "SERIALNUMBER", nil, EncodingPrintable, 7},
	{OID{2, 5, 4, 46}, "dnQualifier", "dnQualifier", nil, EncodingPrintable, 7},
	{OID{0, 9, 2342, 19200300, 100, 1, 1}, "UID", "OID.0.9.2342.19200300.100.1.1", []string{"userId"}, EncodingPrintable, 7},
	{OID{1, 2, 840, 113549, 1, 9, 2}, "unstructuredName", "Unstructured Name", nil, EncodingIA5, 8},
	{OID{1, 2, 840, 113549, 1, 9, 8}, "unstructuredAddress", "Unstructured Address", nil, EncodingPrintable, 8},
	{AttributeE, "emailAddress", "E", []string{"MAILTO", "EMAIL", "MAIL", "PKCS9EMAIL"}, EncodingIA5, 8},
}

func typeOf(oid OID) *attributeType {
	for i := range attributeTypes {
		if attributeTypes[i].oid.Equal(oid) {
			return &attributeTypes[i]
		}
	}
	return nil
}

// typeNamed finds a type by any of its names, in any case, or by its number, with "OID." before it or not.
func typeNamed(s string) (OID, bool) {
	for _, t := range attributeTypes {
		for _, name := range append([]string{t.rfc, t.windows}, t.more...) {
			if strings.EqualFold(name, s) {
				return t.oid, true
			}
		}
	}
	if len(s) > 4 && strings.EqualFold(s[:4], "OID.") {
		s = s[4:]
	}
	return parseOID(s)
}

// rank of an attribute that is not in the table is that of a leaf.
func (r RDN) rank() int {
	least := 7
	for i, a := range r {
		if t := typeOf(a.Type); t != nil && (i == 0 || t.rank < least) {
			least = t.rank
		}
	}
	return least
}
