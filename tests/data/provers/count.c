#include <stdint.h>

/*@ requires 0 <= n <= 1000;
    assigns \nothing;
    ensures \result == n; */
int count(int n)
{
  int i = 0;
  /*@ loop invariant 0 <= i <= n;
      loop assigns i;
      loop variant n - i; */
  while (i < n) {
    i = i + 1;
  }
  return i;
}
/*@ assigns \nothing; ensures \result >= a && \result >= b; */
int max2(int a, int b) { return a > b ? a : b; }
