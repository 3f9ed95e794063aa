package dissection

import (
	"fmt"
	"net/netip"
	"reflect"

	"github.com/ipseclab/ipseclab/ike/payload"
)

// AlterEach alters each value of a header and of decoded payloads in turn, calls
// look, and restores it. It returns how many there were. A comparison that does not
// see one of them compares too little.
func AlterEach(h *payload.Header, ps []payload.Payload, look func(what string)) int {
	n := alter("header", reflect.ValueOf(h).Elem(), look)
	for i, p := range ps {
		what := fmt.Sprintf("payload %d, %T", i+1, p)
		if reflect.ValueOf(p).Kind() == reflect.Pointer {
			n += alter(what, reflect.ValueOf(p).Elem(), look)
			continue
		}
		v := reflect.New(reflect.TypeOf(p)).Elem() // what an interface holds cannot be set
		v.Set(reflect.ValueOf(p))
		n += alter(what, v, func(what string) {
			ps[i] = v.Interface().(payload.Payload)
			look(what)
		})
		ps[i] = p
	}
	return n
}

func alter(what string, v reflect.Value, look func(string)) int {
	if a, ok := v.Interface().(netip.Addr); ok {
		v.Set(reflect.ValueOf(a.Next()))
		look(what)
		v.Set(reflect.ValueOf(a))
		return 1
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(!v.Bool())
		look(what)
		v.SetBool(!v.Bool())
		return 1
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		was := v.Uint()
		v.SetUint(was ^ 1)
		look(what)
		v.SetUint(was)
		return 1
	case reflect.Struct:
		n := 0
		for i := range v.NumField() {
			n += alter(what+"."+v.Type().Field(i).Name, v.Field(i), look)
		}
		return n
	case reflect.Array, reflect.Slice:
		n := 0
		for i := range v.Len() {
			n += alter(fmt.Sprintf("%s[%d]", what, i), v.Index(i), look)
		}
		if v.Kind() == reflect.Slice && v.Len() > 0 {
			was := reflect.ValueOf(v.Interface())
			v.Set(was.Slice(0, was.Len()-1))
			look(what + " without its last")
			v.Set(was)
			n++
		}
		return n
	}
	panic(fmt.Sprintf("dissection: %s is a %v, which AlterEach does not alter", what, v.Kind()))
}
