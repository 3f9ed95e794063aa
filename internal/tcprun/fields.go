package tcprun

import (
	"fmt"
	"reflect"
	"unsafe"
)

// fields finds unexported fields of a struct behind a pointer. Its first failure stays.
type fields struct {
	v   reflect.Value
	err error
}

func (f *fields) fail(what string) {
	if f.err == nil {
		f.err = fmt.Errorf("tcprun: unsupported version of netstack: %s", what)
	}
}

// at is the field at the end of a path, settable; the zero Value when there is none.
func (f *fields) at(path ...string) reflect.Value {
	v := f.v
	for _, name := range path {
		if v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		if v.Kind() != reflect.Struct || !v.FieldByName(name).IsValid() {
			f.fail(fmt.Sprintf("%s has no field %s", f.v.Type(), name))
			return reflect.Value{}
		}
		v = v.FieldByName(name)
	}
	return reflect.NewAt(v.Type(), unsafe.Pointer(v.UnsafeAddr())).Elem()
}

// field is the address of a field of type T; nil when there is none.
func field[T any](f *fields, path ...string) *T {
	v := f.at(path...)
	if !v.IsValid() {
		return nil
	}
	p, ok := v.Addr().Interface().(*T)
	if !ok {
		f.fail(fmt.Sprintf("%v of %s is a %s, not a %s", path, f.v.Type(), v.Type(), reflect.TypeFor[T]()))
	}
	return p
}
