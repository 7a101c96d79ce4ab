package identity

import (
	"errors"
	"net/http"
	"slices"
	"testing"
)

// provider knows one credential.
type provider struct {
	field     string
	err       error
	challenge string
}

func (p provider) Identify(r *http.Request) (Identity, bool, error) {
	if r.Header.Get(p.field) == "" {
		return Identity{}, false, nil
	}
	return Identity{Name: "from " + p.field, Method: p.field}, true, p.err
}

func (p provider) Challenge() string { return p.challenge }

func TestChain(t *testing.T) {
	chain := Chain{
		provider{field: "First", challenge: "First"},
		provider{field: "Broken", err: ErrRefused},
		provider{field: "Last", challenge: "Last x=y"},
	}
	for _, c := range []struct {
		fields []string
		name   string
		err    error
	}{
		{nil, "", nil},
		{[]string{"First", "Broken"}, "from First", nil},
		{[]string{"Last"}, "from Last", nil},
		{[]string{"Broken", "Last"}, "", ErrRefused},
	} {
		r := &http.Request{Header: make(http.Header)}
		for _, f := range c.fields {
			r.Header.Set(f, "x")
		}
		who, err := chain.Identify(r)
		if who.Name != c.name || !errors.Is(err, c.err) {
			t.Errorf("%v: got %+v, %v", c.fields, who, err)
		}
		if who.Anonymous() != (c.name == "") {
			t.Errorf("%v: anonymous is %v", c.fields, who.Anonymous())
		}
	}
	if got, want := chain.Challenges(), []string{"First", "Last x=y"}; !slices.Equal(got, want) {
		t.Errorf("got challenges %q, want %q", got, want)
	}
}

func TestNobody(t *testing.T) {
	var nobody *Identity
	if !nobody.Anonymous() || nobody.In("group") {
		t.Error("nobody is somebody")
	}
	if who := (&Identity{Name: "a", Groups: []string{"b"}}); who.Anonymous() || !who.In("b") || who.In("a") {
		t.Errorf("%+v is not who it is", who)
	}
}
