package scalar_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"canopy/configs/scalar"

	"go.yaml.in/yaml/v3"
)

func TestSize(t *testing.T) {
	for text, want := range map[string]scalar.Size{
		"0": 0, "1": 1, "512B": 512, "10GiB": 10 << 30, "5MB": 5e6, "1kB": 1000, "1KB": 1000, "1.5 TiB": 3 << 39, "0.25KiB": 256,
		"8191PiB": 8191 << 50, "9223372036854775807": 1<<63 - 1,
	} {
		var s scalar.Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%s is %d, %v; want %d", text, s, err, want)
		}
		var again scalar.Size
		if err := again.UnmarshalText([]byte(s.String())); err != nil || again != s {
			t.Errorf("%s prints as %s, which is %d", text, s, again)
		}
	}
	for _, text := range []string{"", "-1", "1.5", "10 gb", "1e3", "0.1B", "9223372036854775808", "8192PiB", "GiB", "1GiB1", "99999999999999999999", "1\n"} {
		var s scalar.Size
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken for %d", text, s)
		}
	}
	for size, want := range map[scalar.Size]string{0: "0", 1023: "1023", 1024: "1KiB", 5e6: "5MB", 3 << 39: "1536GiB"} {
		if got := size.String(); got != want {
			t.Errorf("%d prints as %s, want %s", size, got, want)
		}
	}
}

func FuzzSize(f *testing.F) {
	f.Add("1.5GiB")
	f.Add("12")
	f.Fuzz(func(t *testing.T, text string) {
		var s, again scalar.Size
		if s.UnmarshalText([]byte(text)) != nil {
			return
		}
		if err := again.UnmarshalText([]byte(s.String())); err != nil || again != s || s < 0 {
			t.Fatalf("%q is %d, prints as %s, which is %d", text, s, s, again)
		}
	})
}

func TestDistance(t *testing.T) {
	for text, want := range map[string]string{"100km": "100km", "1.5 km": "1.5km", "800m": "800m", "1000m": "1km", "0": "0m", "0.5km": "500m"} {
		var d scalar.Distance
		if err := d.UnmarshalText([]byte(text)); err != nil || d.String() != want {
			t.Errorf("%s is %s, %v; want %s", text, d, err, want)
		}
	}
	for _, text := range []string{"", "100", "-1km", "1mi", "km", "1e3m"} {
		var d scalar.Distance
		if err := d.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken for %s", text, d)
		}
	}
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{"1h": "1h", "90s": "1m30s", "10m": "10m", "0": "0s", "1h30m": "1h30m", "1.5ms": "1.5ms", "1h0m1s": "1h0m1s"} {
		v, known, err := scalar.Parse(reflect.TypeFor[time.Duration](), text)
		if got, _ := scalar.Format(v); !known || err != nil || got != want {
			t.Errorf("%s is %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "10", "1d", "-1s", "1 s"} {
		if v, _, err := scalar.Parse(reflect.TypeFor[time.Duration](), text); err == nil {
			t.Errorf("%q is taken for %v", text, v)
		}
	}
	v, known, err := scalar.Parse(reflect.TypeFor[netip.Prefix](), "10.1.0.0/16")
	if got, _ := scalar.Format(v); !known || err != nil || got != "10.1.0.0/16" {
		t.Errorf("%v, %t, %v", v, known, err)
	}
	if _, known, _ := scalar.Parse(reflect.TypeFor[string](), "x"); known {
		t.Error("plain text has a special form")
	}
	if _, known := scalar.Format("x"); known {
		t.Error("plain text has a special form")
	}
}

// However a secret gets into a line, it does not show.
func TestSecret(t *testing.T) {
	s := scalar.Secret("hunter2")
	type holder struct {
		S scalar.Secret `json:"s" yaml:"s"`
	}
	j, err := json.Marshal(holder{s})
	if err != nil {
		t.Fatal(err)
	}
	y, err := yaml.Marshal(holder{s})
	if err != nil {
		t.Fatal(err)
	}
	all := string(j) + string(y) + s.String()
	for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%q", "%x", "%d", "%X"} {
		all += fmt.Sprintf(verb, s) + fmt.Sprintf(verb, holder{s}) + fmt.Sprintf(verb, &holder{s}) + fmt.Sprintf(verb, []scalar.Secret{s})
	}
	for _, leak := range []string{"hunter2", "68756e74", "104 117"} {
		if strings.Contains(strings.ToLower(all), leak) {
			t.Errorf("%s leaks: %s", leak, all)
		}
	}
	if s.Reveal() != "hunter2" || scalar.Secret("").String() != "" {
		t.Error("a secret does not reveal itself, or an empty one looks like one")
	}
}

// Every pattern accepts its own example.
func TestSyntax(t *testing.T) {
	for _, x := range []reflect.Type{
		reflect.TypeFor[scalar.Size](), reflect.TypeFor[*scalar.Distance](), reflect.TypeFor[time.Duration](), reflect.TypeFor[netip.Prefix](),
	} {
		s, ok := scalar.SyntaxOf(x)
		if !ok || s.Name == "" || !regexp.MustCompile("^("+s.Pattern+")$").MatchString(s.Example) {
			t.Errorf("%v: %+v, %t", x, s, ok)
		}
	}
	if s, ok := scalar.SyntaxOf(reflect.TypeFor[int]()); ok {
		t.Errorf("int: %+v", s)
	}
}
