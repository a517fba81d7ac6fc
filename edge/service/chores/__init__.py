"""What a door does when nobody is there: erase what has aged, finish withdrawals."""
