package pki

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Order is the order in which a name is written.
type Order int

const (
	// OrderGuess takes the order that puts the more general attributes (DC, C, S,
	// L, O, OU) where they belong; a name that does not tell is in RFC 4514's.
	OrderGuess Order = iota
	// OrderRFC4514 has the most specific part first: CN=Lab Root, O=Lab, C=US.
	OrderRFC4514
	// OrderX500 has the most general part first, as in DER, as Windows prints
	// names of IPsec rules: C=US, O=Lab, CN=Lab Root.
	OrderX500
)

// maxNameText bounds what is read as a name, in octets.
const maxNameText = 8192

// ParseName reads a name as people write it, in either order.
func ParseName(s string) (Name, error) { return ParseNameOrdered(s, OrderGuess) }

// ParseNameOrdered reads a name. It takes RFC 4514 with the spaces that people
// leave, quoted values as in RFC 2253 and in Windows (a quote in them is
// doubled), commas and semicolons as separators, and all names of an attribute
// (S and ST; E, MAILTO and emailAddress). A backslash escapes, as in RFC 4514.
// The error says where in the text the mistake is.
func ParseNameOrdered(s string, order Order) (Name, error) {
	if len(s) > maxNameText {
		return nil, fmt.Errorf("pki: a name of %d octets; at most %d are read", len(s), maxNameText)
	}
	p := nameParser{text: s}
	var name Name
	p.spaces()
	for p.at < len(s) {
		rdn, err := p.rdn()
		if err != nil {
			return nil, fmt.Errorf("pki: name %q, at %q: %w", s, s[p.at:], err)
		}
		name = append(name, rdn)
		if p.at == len(s) {
			break
		}
		p.at++ // the separator
		p.spaces()
		if p.at == len(s) {
			return nil, fmt.Errorf("pki: name %q ends with a separator", s)
		}
	}
	if len(name) == 0 {
		return nil, fmt.Errorf("pki: name %q is empty", s)
	}
	if order == OrderRFC4514 || order == OrderGuess && name[0].rank() >= name[len(name)-1].rank() {
		slices.Reverse(name)
	}
	return name, nil
}

type nameParser struct {
	text string
	at   int
}

func (p *nameParser) spaces() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

// rdn reads attributes joined by plus signs and stops at a separator or at the end.
func (p *nameParser) rdn() (RDN, error) {
	var out RDN
	for {
		a, err := p.attribute()
		if err != nil {
			return nil, err
		}
		out = append(out, a)
		if p.at == len(p.text) || p.text[p.at] != '+' {
			return out, nil
		}
		p.at++
		p.spaces()
	}
}

func (p *nameParser) attribute() (Attribute, error) {
	end := strings.IndexAny(p.text[p.at:], "=,;+\"\\")
	if end < 0 || p.text[p.at+end] != '=' {
		return Attribute{}, fmt.Errorf("an attribute is written TYPE=VALUE")
	}
	label := strings.TrimRight(p.text[p.at:p.at+end], " \t\r\n")
	oid, ok := typeNamed(label)
	if !ok {
		return Attribute{}, fmt.Errorf("%q is no type of attribute; write CN, O, OU, C, S, L, DC, E and so on, or a number such as 2.5.4.3", label)
	}
	p.at += end + 1
	p.spaces()
	a := Attribute{Type: oid}
	var err error
	switch {
	case p.at < len(p.text) && p.text[p.at] == '#':
		a.Value, a.Encoding, err = p.hexValue()
	case p.at < len(p.text) && p.text[p.at] == '"':
		a.Value, err = p.quoted()
	default:
		a.Value, err = p.plain()
	}
	if err == nil && !utf8.ValidString(a.Value) && a.Encoding != EncodingOther {
		err = fmt.Errorf("the value is not UTF-8")
	}
	return a, err
}

// plain reads a value without quotes, up to a separator; spaces at its end do not count.
func (p *nameParser) plain() (string, error) {
	var b []byte
	keep := 0 // octets that are not spaces at the end
	for p.at < len(p.text) {
		switch c := p.text[p.at]; c {
		case ',', ';', '+':
			return string(b[:keep]), nil
		case '"':
			return "", fmt.Errorf("a quote inside of a value is written \\\"")
		case '\\':
			c, err := p.escape()
			if err != nil {
				return "", err
			}
			b = append(b, c)
			keep = len(b)
		default:
			p.at++
			b = append(b, c)
			if strings.IndexByte(" \t\r\n", c) < 0 {
				keep = len(b)
			}
		}
	}
	return string(b[:keep]), nil
}

func (p *nameParser) quoted() (string, error) {
	var b []byte
	for p.at++; p.at < len(p.text); {
		switch c := p.text[p.at]; c {
		case '"':
			p.at++
			if p.at < len(p.text) && p.text[p.at] == '"' {
				p.at++
				b = append(b, '"')
				continue
			}
			p.spaces()
			if p.at < len(p.text) && strings.IndexByte(",;+", p.text[p.at]) < 0 {
				return "", fmt.Errorf("after a quoted value comes a separator")
			}
			return string(b), nil
		case '\\':
			c, err := p.escape()
			if err != nil {
				return "", err
			}
			b = append(b, c)
		default:
			p.at++
			b = append(b, c)
		}
	}
	return "", fmt.Errorf("the quote is not closed")
}

// escape reads \ and a special character or two hexadecimal digits (RFC 4514, Section 3: pair).
func (p *nameParser) escape() (byte, error) {
	rest := p.text[p.at+1:]
	if rest != "" && strings.IndexByte(`\"+,;<>= #`, rest[0]) >= 0 {
		p.at += 2
		return rest[0], nil
	}
	if len(rest) >= 2 {
		if b, err := hex.DecodeString(rest[:2]); err == nil {
			p.at += 3
			return b[0], nil
		}
	}
	return 0, fmt.Errorf(`after a backslash comes one of \"+,;<>=#, a space, or two hexadecimal digits`)
}

// hexValue reads # and the DER of a value.
func (p *nameParser) hexValue() (string, Encoding, error) {
	end := strings.IndexAny(p.text[p.at:], ",;+ \t\r\n")
	if end < 0 {
		end = len(p.text) - p.at
	}
	der, err := hex.DecodeString(p.text[p.at+1 : p.at+end])
	if err != nil {
		return "", 0, fmt.Errorf("after # come hexadecimal digits")
	}
	in := cryptobyte.String(der)
	var element cryptobyte.String
	var tag asn1.Tag
	if !in.ReadAnyASN1Element(&element, &tag) || !in.Empty() {
		return "", 0, fmt.Errorf("after # comes the DER of a value")
	}
	p.at += end
	p.spaces()
	if p.at < len(p.text) && strings.IndexByte(",;+", p.text[p.at]) < 0 {
		return "", 0, fmt.Errorf("after the digits comes a separator")
	}
	value, encoding := decodeValue(element, tag)
	return value, encoding, nil
}
