package fields_test

import (
	"reflect"
	"testing"

	"canopy/configs/fields"
)

type inner struct {
	A     string `yaml:"a" config:"required,file"`
	Token string `yaml:"token,omitempty"`
}

type outer struct {
	inner    `yaml:",inline"`
	B        int `yaml:"b"`
	Skipped  int `yaml:"-"`
	Untagged int
	KeyFile  string `yaml:"key_file"`
	Dir      string `yaml:"dir" config:"directory"`
	S        string `yaml:"s" config:"secret"`
}

func TestOf(t *testing.T) {
	var got []string
	v := reflect.ValueOf(outer{inner: inner{A: "x"}})
	for _, f := range fields.Of(v.Type()) {
		s := f.Owner.Name() + "." + f.Name + "=" + f.Key
		for mark, set := range map[string]bool{"!required": f.Required, "!file": f.File, "!directory": f.Directory, "!secret": f.Secret} {
			if set {
				s += mark[:2]
			}
		}
		if v.FieldByIndex(f.Index).Type() != f.Type {
			t.Errorf("%s: the index leads elsewhere", s)
		}
		got = append(got, s)
	}
	if len(got) != 6 || (got[0] != "inner.A=a!r!f" && got[0] != "inner.A=a!f!r") {
		t.Fatal(got)
	}
	want := []string{"inner.Token=token!s", "outer.B=b", "outer.KeyFile=key_file!f", "outer.Dir=dir!d", "outer.S=s!s"}
	if !reflect.DeepEqual(got[1:], want) {
		t.Errorf("got %v, want %v", got[1:], want)
	}
}

func TestHidden(t *testing.T) {
	for path, want := range map[string]bool{
		"endpoints[0].credentials": true, "endpoints[0].credentials.basic.user": true, "x.password": true, "cache.redis": true,
		"endpoints[0].mount": false, "passwords": false,
	} {
		if got := fields.Hidden(path); got != want {
			t.Errorf("%s: %t", path, got)
		}
	}
}
